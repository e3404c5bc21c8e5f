/* SPDX-License-Identifier: MIT */
#include "mount/cli/mount_helper.h"

#include <string.h>

bool mount_helper_is_called(char *const argv[])
{
	const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argv[0];
	return name && strcmp(name, "mount.ibbfs") == 0;
}

/* "-fnv": flags without a value; *fake if -f is one of them. */
static bool are_flags(const char *argument, bool *fake)
{
	if (*argument != '-' || argument[1] == '\0' ||
	    strspn(argument + 1, "sfnv") != strlen(argument + 1)) {
		return false;
	}
	*fake = *fake || strchr(argument, 'f') != NULL;
	return true;
}

int mount_helper_strip(int argc, char *argv[], bool *fake)
{
	int count = 1;
	*fake = false;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-N") == 0 || strcmp(argv[i], "-t") == 0) {
			i++; /* its value */
		} else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
			argv[count++] = argv[i++];
			argv[count++] = argv[i];
		} else if (!are_flags(argv[i], fake)) {
			argv[count++] = argv[i];
		}
	}
	argv[count] = NULL;
	return count;
}
