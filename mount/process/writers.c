/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* syscall */

#include "mount/process/writers.h"

#include "clock.h"
#include "mount/process/proc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- moments ---- */

/* The numbers of processes rise, and then begin again at the lowest. An era is a time without such
 * a new beginning. Between two looks of one era, the machine cannot start as many processes as
 * there are numbers. */
#define ERA_SHIFT 32
#define PAUSE_MS  1000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t era, newest; /* under it */
static int64_t looked_ms;    /* under it */

static uint64_t look_locked(void)
{
	char text[128];
	const char *last =
		proc_read("/proc/loadavg", text, sizeof(text)) ? strrchr(text, ' ') : NULL;
	uint64_t pid = last ? strtoul(last, NULL, 10) : 0;
	int64_t now_ms = clock_now_ms();
	if (pid < newest || now_ms - looked_ms > PAUSE_MS) {
		era++;
	}
	newest = pid;
	looked_ms = now_ms;
	return pid > 0 ? era << ERA_SHIFT | pid : 0;
}

uint64_t writers_look(void)
{
	pthread_mutex_lock(&mutex);
	uint64_t moment = look_locked();
	pthread_mutex_unlock(&mutex);
	return moment;
}

static bool is_of_era(uint64_t moment, uint64_t now)
{
	return moment > 0 && moment >> ERA_SHIFT == now >> ERA_SHIFT;
}

/* When the process was started, if that was in the era of `now`. */
static uint64_t start_of(pid_t pid, uint64_t now)
{
	return now >> ERA_SHIFT << ERA_SHIFT | (uint64_t)pid;
}

static pid_t process_of(uint64_t moment)
{
	return (pid_t)(moment & UINT32_MAX);
}

/* ---- closes, of which a bit stands for each ---- */

struct batch {
	struct writers_close *closes;
	size_t count;
	struct wanted wanted;
	/* The process and the opener of each close; no process twice. */
	struct look {
		pid_t pid;
		uint64_t table; /* 0: unknown */
		struct sight sight;
	} looks[2 * WRITERS_MOST];
	size_t look_count;
	uint64_t undecided; /* closes for which other processes are searched */
	bool only_callers;  /* no other processes are looked at */
	bool needs_others;  /* but they had to be */
};

static uint64_t bit(size_t index)
{
	return UINT64_C(1) << index;
}

static void want_all(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct writers_close *close = &batch->closes[i];
		descriptors_want(&batch->wanted, close->name, close->ino, bit(i));
	}
}

/* The closes among `which` whose file was open when a process was started at `moment`: it may have
 * inherited the descriptor. */
static uint64_t opened_before(const struct batch *batch, uint64_t which, uint64_t moment)
{
	uint64_t before = 0;
	for (size_t i = 0; i < batch->count; i++) {
		before |= *batch->closes[i].opened < moment ? bit(i) : 0;
	}
	return which & before;
}

/* ---- the process that closes, and the opener ---- */

static struct sight look_once(struct batch *batch, pid_t pid, uint64_t table)
{
	for (size_t i = 0; i < batch->look_count; i++) {
		const struct look *look = &batch->looks[i];
		if (look->pid == pid || (table != 0 && look->table == table)) {
			return look->sight;
		}
	}
	struct look *look = &batch->looks[batch->look_count++];
	*look = (struct look){pid, table, descriptors_look(pid, &batch->wanted)};
	return look->sight;
}

static void look_at_owners(struct batch *batch, size_t index)
{
	struct writers_close *close = &batch->closes[index];
	struct sight closer = look_once(batch, close->pid, close->table);
	close->left = closer.visible ? WRITERS_NONE : WRITERS_UNKNOWN;
	if (closer.writes & bit(index)) {
		close->left = WRITERS_SOME;
	}
	if (close->left == WRITERS_SOME || (!closer.visible && !close->searches)) {
		return;
	}
	bool has_opened = descriptors_are_shared(close->pid, close->opener);
	if (batch->only_callers && (!has_opened || !closer.visible || closer.shares)) {
		batch->needs_others = true;
		return;
	}
	struct sight opener = has_opened ? closer : look_once(batch, close->opener, 0);
	if (opener.writes & bit(index)) {
		close->left = WRITERS_SOME;
		return;
	}
	if (closer.shares || opener.shares || !closer.visible || !opener.visible) {
		*close->opened = 0;
	}
	batch->undecided |= bit(index);
}

/* ---- other processes ---- */

/* Beyond so many numbers, listing /proc is faster than trying each number: most of the processes
 * have ended. */
#define MANY 250

/* Whether a process has this number; a thread may have it, or nobody. */
static bool is_process(pid_t pid)
{
	return syscall(SYS_tgkill, pid, pid, 0) == 0 || errno != ESRCH;
}

static uint64_t look_for(const struct batch *batch, uint64_t which, pid_t pid)
{
	return which && pid != getpid() ? descriptors_look(pid, &batch->wanted).writes & which : 0;
}

/* Finds the closes among `heritable` whose file is open in a process that was started after
 * `first`. The numbers are tried in rising order, so that no process is missed that is started
 * meanwhile by one that then ends. False: there are too many numbers, or a process that may not be
 * looked at. */
static bool search_numbers(const struct batch *batch, uint64_t heritable, uint64_t first,
			   uint64_t now, uint64_t *found)
{
	for (uint64_t each = first + 1; each <= now && *found != heritable; each++) {
		if (each - first > MANY) {
			return false;
		}
		if (is_process(process_of(each))) {
			if (batch->only_callers) {
				return false;
			}
			*found |= look_for(batch, opened_before(batch, heritable, each),
					   process_of(each));
		}
		if (each == now) {
			uint64_t later = writers_look();
			now = is_of_era(later, now) ? later : now;
		}
	}
	return true;
}

/* Finds the closes whose file is open in any process; of `heritable`, only processes started after
 * the open are searched. False: /proc cannot be read. */
static bool search_list(const struct batch *batch, uint64_t heritable, uint64_t now,
			uint64_t *found)
{
	struct dirent *entry;
	uint64_t others = batch->undecided & ~heritable;
	DIR *processes = proc_open_directory("/proc");
	if (!processes) {
		return false;
	}
	while (*found != batch->undecided && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10); /* 0: it is none */
		uint64_t which = others | opened_before(batch, heritable, start_of(pid, now));
		*found |= pid > 0 ? look_for(batch, which, pid) : 0;
	}
	proc_close_directory(processes);
	return true;
}

/* Finds the undecided closes that have a writer. False: it cannot be known. */
static bool search(const struct batch *batch, uint64_t *found)
{
	uint64_t now = writers_look(), first = now, heritable = 0;
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t opened = *batch->closes[i].opened;
		if (batch->undecided & bit(i) && is_of_era(opened, now)) {
			heritable |= bit(i);
			first = opened < first ? opened : first;
		}
	}
	if (heritable == batch->undecided && now - first <= MANY &&
	    search_numbers(batch, heritable, first, now, found)) {
		return true;
	}
	return !batch->only_callers && search_list(batch, heritable, now, found);
}

/* Whether all are known. */
static bool judge(struct batch *batch)
{
	uint64_t found = 0;
	assert(batch->count <= WRITERS_MOST);
	want_all(batch);
	for (size_t i = 0; i < batch->count; i++) {
		look_at_owners(batch, i);
	}
	if (batch->needs_others) {
		return false;
	}
	bool searched = !batch->undecided || search(batch, &found);
	for (size_t i = 0; i < batch->count; i++) {
		if (found & bit(i)) {
			batch->closes[i].left = WRITERS_SOME;
		} else if (batch->undecided & bit(i) && !searched) {
			batch->closes[i].left = WRITERS_UNKNOWN;
		}
	}
	return searched;
}

void writers_judge(struct writers_close *closes, size_t count, atomic_uint *looked)
{
	struct batch batch = {.closes = closes, .count = count, .wanted.looked = looked};
	judge(&batch);
}

bool writers_judge_callers(struct writers_close *closes, size_t count)
{
	struct batch batch = {.closes = closes, .count = count, .only_callers = true};
	return judge(&batch);
}
