/* SPDX-License-Identifier: MIT */
#include "mount/process/caller.h"

#include "mount/process/proc.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* include/linux/sched.h: "Getting shut down", "Killed by a signal". */
#define PF_EXITING  0x00000004
#define PF_SIGNALED 0x00000400

static bool read_of_process(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return pid > 0 && proc_read(path, text, size);
}

/* Field `number` of /proc/PID/stat, from the third on; 0 if there is none. The second field is a
 * name in parentheses that may hold anything. */
static unsigned long long field_of(const char *stat, int number)
{
	const char *rest = strrchr(stat, ')');
	for (int i = 2; rest && i < number; i++) {
		rest = strchr(rest + 1, ' ');
	}
	return rest ? strtoull(rest, NULL, 10) : 0;
}

/* A reader who may not trace the process sees an exit code of 0 in /proc/PID/stat. Reading this
 * link needs the same right, and the link exists while the process closes its files. */
static bool shows_exit_code(pid_t pid)
{
	char path[64], target[2];
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return readlink(path, target, sizeof(target)) >= 0;
}

/* The new memory has a stack, and no code before the files are closed. A process that exits has no
 * memory when it closes them. */
bool caller_executes(const char *statm)
{
	unsigned long size, text;
	return sscanf(statm, "%lu %*u %*u %lu", &size, &text) == 2 && size > 0 && text == 0;
}

enum caller_fate caller_fate(pid_t pid)
{
	char text[1024];
	if (read_of_process(pid, "statm", text, sizeof(text)) && caller_executes(text)) {
		return CALLER_EXECUTES;
	}
	if (!read_of_process(pid, "stat", text, sizeof(text))) {
		return CALLER_UNKNOWN;
	}
	unsigned long long flags = field_of(text, 9);
	if (!(flags & (PF_EXITING | PF_SIGNALED))) {
		return CALLER_STAYS;
	}
	/* As in wait(2). The kernel also kills without a signal: seccomp(2), a fault of its own. */
	unsigned long long code = field_of(text, 52);
	if (code & 0x7f) {
		return CALLER_ENDS;
	}
	/* A thread that ends because another one has called exit_group has the flag, too. */
	bool is_exit = !(flags & PF_SIGNALED) || code != 0 || shows_exit_code(pid);
	return is_exit ? CALLER_STAYS : CALLER_ENDS;
}

static uint64_t bit(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

/* The hexadecimal field `name` of /proc/PID/status. */
static uint64_t mask_of(const char *status, const char *name)
{
	const char *found = strstr(status, name);
	return found ? strtoull(found + strlen(name), NULL, 16) : 0;
}

enum caller_fate caller_judge(const char *status)
{
	const uint64_t of_users = bit(SIGHUP) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM);
	/* By default these stop a process, or do nothing. */
	uint64_t harmless = bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) |
			    bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
	if (!strstr(status, "\nSigPnd:") || !strstr(status, "\nSigCgt:")) {
		return CALLER_UNKNOWN;
	}
	if (mask_of(status, "\nTracerPid:") != 0) {
		harmless |= bit(SIGTRAP); /* is for the tracer */
	}
	uint64_t pending = (mask_of(status, "\nSigPnd:") | mask_of(status, "\nShdPnd:")) &
			   ~mask_of(status, "\nSigBlk:") & ~mask_of(status, "\nSigIgn:");
	uint64_t caught = mask_of(status, "\nSigCgt:");
	return pending & ((caught & of_users) | (~caught & ~harmless)) ? CALLER_ENDS : CALLER_STAYS;
}

enum caller_fate caller_pending(pid_t pid)
{
	static char text[64 * 1024]; /* a process may have many groups */
	return read_of_process(pid, "status", text, sizeof(text)) ? caller_judge(text)
								  : CALLER_UNKNOWN;
}
