/* SPDX-License-Identifier: MIT */
#include "mount/cli/home.h"

#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_of_another(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && status.st_uid != getuid();
}

const char *home_directory(void)
{
	const char *home = getenv("HOME");
	if (home && *home == '/' && !is_of_another(home)) {
		return home;
	}
	const struct passwd *user = getpwuid(getuid());
	return user ? user->pw_dir : "/";
}
