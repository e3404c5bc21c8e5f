/* SPDX-License-Identifier: MIT */
#include "mount/cli/value.h"

#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int value_wrong(const char *option, const char *why)
{
	log_error("%s%s: %s", log_has_place() ? "" : "-o ", option, why);
	return -1;
}

int value_string(char **string, const char *value)
{
	char *copy = strdup(value);

	if (!copy) {
		log_error("%s", strerror(ENOMEM));
		return -1;
	}
	free(*string);
	*string = copy;
	return 0;
}

bool value_parse(const char *text, uint64_t max, bool suffixes, uint64_t *number)
{
	static const char letters[] = "kKmMgG";
	uint64_t value = 0;

	if (*text < '0' || *text > '9') {
		return false;
	}
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max) {
			return false;
		}
	}
	if (suffixes && *text) {
		const char *letter = strchr(letters, *text);

		if (!letter) {
			return false;
		}
		int shift = 10 * (int)((letter - letters) / 2 + 1);
		if (value > max >> shift) {
			return false;
		}
		value <<= shift;
		text++;
	}
	if (*text || value > max) {
		return false;
	}
	*number = value;
	return true;
}

int value_number(const char *option, const char *value, uint64_t max, const char *range,
		 uint64_t *number)
{
	bool suffixes = strpbrk(range, "MG") != NULL;

	if (!value_parse(value, max, suffixes, number) || *number < 1) {
		return value_wrong(option, range);
	}
	return 0;
}

int value_from_0(const char *option, const char *value, uint64_t max, const char *range,
		 uint64_t *number)
{
	return value_parse(value, max, false, number) ? 0 : value_wrong(option, range);
}

int value_word(const char *option, const char *value, const char *const words[], const char *must,
	       int *index)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(value, words[i]) == 0) {
			*index = i;
			return 0;
		}
	}
	return value_wrong(option, must);
}

/* A path that still holds after chdir("/"). Symbolic links are not resolved: their targets may be
 * replaced while the daemon runs. NULL after a line. */
static char *absolute_path(const char *path)
{
	char *directory = NULL, *absolute = NULL;

	if (*path == '/') {
		absolute = strdup(path);
	} else {
		/* NOLINTNEXTLINE(clang-analyzer-unix.StdCLibraryFunctions): glibc allocates */
		directory = getcwd(NULL, 0);
		size_t size = directory ? strlen(directory) + strlen(path) + 2 : 0;

		absolute = directory ? malloc(size) : NULL;
		if (absolute) {
			snprintf(absolute, size, "%s/%s", directory, path);
		}
	}
	if (!absolute) {
		log_error("%s: %s", path, strerror(errno));
	}
	free(directory);
	return absolute;
}

/* The file is opened now, because libstrophe does not report a file that it cannot read. */
int value_readable(const char *option, const char *value, bool directory, char **path)
{
	int fd = open(value, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status = {0};
	int error = fd < 0 || fstat(fd, &status) < 0 ? errno : 0;

	if (fd >= 0) {
		close(fd);
	}
	if (!error && directory && !S_ISDIR(status.st_mode)) {
		error = ENOTDIR;
	} else if (!error && !directory && S_ISDIR(status.st_mode)) {
		error = EISDIR;
	}
	if (error) {
		return value_wrong(option, strerror(error));
	}
	return value_path(value, path);
}

int value_path(const char *value, char **path)
{
	char *absolute = absolute_path(value);

	if (!absolute) {
		return -1;
	}
	free(*path);
	*path = absolute;
	return 0;
}
