/* SPDX-License-Identifier: MIT */
#include "mount/process/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Five descriptors: /proc and two directories below it are open while a thread reads a file there,
 * and the other thread reads a file. -1: the descriptor is in use, or could not be opened. */
static int reserve[5] = {-1, -1, -1, -1, -1};
static bool has_reserve;
static bool is_of_others;				  /* immutable after start */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of these */

static void refill_reserve(void)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; has_reserve && i < sizeof(reserve) / sizeof(reserve[0]); i++) {
		if (reserve[i] < 0) {
			reserve[i] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
	}
	pthread_mutex_unlock(&mutex);
}

static bool spend_reserve(void)
{
	int fd = -1;
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; fd < 0 && i < sizeof(reserve) / sizeof(reserve[0]); i++) {
		fd = reserve[i];
		reserve[i] = -1;
	}
	pthread_mutex_unlock(&mutex);
	return fd >= 0 && close(fd) == 0;
}

static void set_reserve(bool has)
{
	pthread_mutex_lock(&mutex);
	has_reserve = has;
	pthread_mutex_unlock(&mutex);
}

/* The link has our number in the name space of that /proc. */
static bool shows_others(void)
{
	char target[32];
	ssize_t length = readlink("/proc/self", target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	return length > 0 && strtol(target, NULL, 10) != getpid();
}

void proc_start(void)
{
	is_of_others = shows_others();
	set_reserve(true);
	refill_reserve();
}

void proc_stop(void)
{
	set_reserve(false);
	while (spend_reserve()) {
	}
}

static int open_file(const char *path, int flags)
{
	if (is_of_others) {
		errno = ENOENT;
		return -1;
	}
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	while (fd < 0 && (errno == EMFILE || errno == ENFILE) && spend_reserve()) {
		fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static void close_file(int fd)
{
	close(fd);
	refill_reserve();
}

bool proc_read(const char *path, char *text, size_t size)
{
	int fd = open_file(path, 0);
	if (fd < 0) {
		return false;
	}
	ssize_t length = read(fd, text, size - 1);
	close_file(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

bool proc_find_line(const char *path, bool (*found)(void *context, const char *line), void *context)
{
	int fd = open_file(path, 0);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	if (fd >= 0 && !file) {
		close_file(fd);
	}
	if (!file) {
		return false;
	}
	bool done = false;
	while (!done && getline(&line, &size, file) > 0) {
		done = found(context, line);
	}
	free(line);
	fclose(file);
	refill_reserve();
	return done;
}

DIR *proc_open_directory(const char *path)
{
	int fd = open_file(path, O_DIRECTORY);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (fd >= 0 && !directory) {
		close_file(fd);
	}
	return directory;
}

void proc_close_directory(DIR *directory)
{
	closedir(directory);
	refill_reserve();
}
