/* SPDX-License-Identifier: MIT */
#include "mount/process/children.h"

#include "mount/process/proc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Those that the thread has started; libfuse starts one at a time. */
static void kill_those_of(const char *thread)
{
	char path[64], pids[512];
	snprintf(path, sizeof(path), "/proc/self/task/%.16s/children", thread);
	if (!proc_read(path, pids, sizeof(pids))) {
		return;
	}
	char *at = pids, *end;
	for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
		kill((pid_t)pid, SIGKILL);
		at = end;
	}
}

void children_kill(void)
{
	const struct dirent *entry;
	DIR *threads = proc_open_directory("/proc/self/task");
	if (!threads) {
		return;
	}
	while ((entry = readdir(threads))) {
		kill_those_of(entry->d_name);
	}
	proc_close_directory(threads);
}
