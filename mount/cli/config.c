/* SPDX-License-Identifier: MIT */
#include "mount/cli/config.h"

#include "ibb/utf8.h"
#include "mount/cli/home.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The place of a line, for an error, and the line as an option; the longest prefix is a home. */
#define PLACE_BYTES    (CONFIG_LINE_BYTES + sizeof(":1048576"))
#define ARGUMENT_BYTES (2 * CONFIG_LINE_BYTES)

struct config {
	struct parser *parser;
	const char *home;
	char path[CONFIG_LINE_BYTES];
	struct preset *preset; /* of the section; NULL: before the first one */
};

/* ---- the file ---- */

/* False: the path is longer than that of any file can be. */
static bool find_path(struct config *config, const char *jid)
{
	const char *folder = getenv("XDG_CONFIG_HOME");
	bool set = folder && *folder == '/';
	int length = snprintf(config->path, sizeof(config->path), "%s%s/ibbfs/%.*s.conf",
			      set ? folder : config->home, set ? "" : "/.config",
			      (int)jid_bare_length(jid), jid);
	return length > 0 && (size_t)length < sizeof(config->path);
}

static const char *file_fault(const struct stat *status)
{
	if (!S_ISREG(status->st_mode)) {
		return "not a regular file";
	}
	if (status->st_uid != geteuid() && status->st_uid != 0) {
		return "belongs to somebody else";
	}
	if (status->st_mode & (S_IWGRP | S_IWOTH)) {
		return "others can write to it; chmod go-w it";
	}
	if ((size_t)status->st_size > CONFIG_FILE_BYTES) {
		return "longer than 1 MiB";
	}
	return NULL;
}

/* The content of `fd`, which has `size` bytes, with a NUL; the caller's. NULL, and errno. */
static char *read_content(int fd, size_t size, size_t *length)
{
	char *content = malloc(size + 1);
	ssize_t count = 1;
	for (*length = 0; content && *length < size && count > 0;) {
		count = read(fd, content + *length, size - *length);
		if (count < 0 && errno == EINTR) {
			count = 1;
		} else if (count > 0) {
			*length += (size_t)count;
		}
	}
	if (content && count < 0) {
		free(content);
		return NULL;
	}
	if (content) {
		content[*length] = '\0';
	}
	return content;
}

/* 1: there is a file, and *content is the caller's; 0: there is none; -1 after a line. */
static int read_file(const char *path, char **content, size_t *length)
{
	struct stat status;
	if (stat(path, &status) && errno != EIO) {
		return 0;
	}
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *fault = fd < 0 || fstat(fd, &status) ? strerror(errno) : file_fault(&status);
	if (!fault) {
		*content = read_content(fd, (size_t)status.st_size, length);
		fault = *content ? NULL : strerror(errno);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (fault) {
		log_error("%s: %s", path, fault);
		return -1;
	}
	return 1;
}

/* ---- a line ---- */

/* Without white space at both ends; changes `text`. */
static char *trim(char *text)
{
	static const char spaces[] = " \t\r\v\f";
	text += strspn(text, spaces);
	size_t length = strlen(text);
	while (length > 0 && strchr(spaces, text[length - 1])) {
		length--;
	}
	text[length] = '\0';
	return text;
}

/* "[alice@example.org]" */
static int take_section(struct config *config, char *line)
{
	size_t length = strlen(line);
	char *jid;
	if (line[length - 1] != ']') {
		log_error("%s: no ] at its end", line);
		return -1;
	}
	line[length - 1] = '\0';
	int error = jid_normalize(trim(line + 1), &jid);
	if (error == -EINVAL) {
		log_error("[%s]: not a JID, such as alice@example.org", line + 1);
		return -1;
	}
	config->preset = error ? NULL : preset_get(&config->parser->options->presets, jid);
	if (!error) {
		free(jid);
	}
	if (!config->preset) {
		log_error("%s", strerror(ENOMEM));
		return -1;
	}
	return 0;
}

static int take_setting(struct config *config, const char *name, const char *value)
{
	int error = defaults_set(&config->preset->defaults, name, value);
	if (error == -ENODATA) {
		log_error("%s: unknown setting of a directory; there are block_size, format and "
			  "stanza",
			  name);
	} else if (error) {
		log_error("%s = %s: not a value of user.ibb.%s; see ibbfs(1)", name, value, name);
	}
	return error ? -1 : 0;
}

/* A path in the file cannot be relative to a working directory: it is absolute, or begins with
 * "~/". */
static int take_option(const struct config *config, const char *name, const char *value)
{
	char argument[ARGUMENT_BYTES];
	const char *home = "";
	if (value && option_table_is_path(name)) {
		if (strncmp(value, "~/", 2) == 0) {
			home = config->home;
			value++;
		} else if (*value != '/') {
			log_error("%s = %s: must be an absolute path, or begin with ~/", name,
				  value);
			return -1;
		}
	}
	int length = snprintf(argument, sizeof(argument), "%s%s%s%s", name, value ? "=" : "", home,
			      value ? value : "");
	if (length < 0 || (size_t)length >= sizeof(argument)) {
		log_error("%s: the value is too long", name);
		return -1;
	}
	return option_table_take(config->parser, argument);
}

static int take_line(struct config *config, char *text, size_t length)
{
	if (length > CONFIG_LINE_BYTES) {
		log_error("longer than %zu bytes", CONFIG_LINE_BYTES);
		return -1;
	}
	if (strlen(text) < length) {
		log_error("a NUL byte in it");
		return -1;
	}
	if (!utf8_is_valid(text)) {
		log_error("not UTF-8");
		return -1;
	}
	char *line = trim(text);
	if (*line == '\0' || *line == '#') {
		return 0;
	}
	if (*line == '[') {
		return take_section(config, line);
	}
	char *value = strchr(line, '=');
	if (value) {
		*value++ = '\0';
		value = trim(value);
	}
	const char *name = trim(line);
	if ((value && *value == '\0') || (!value && config->preset)) {
		log_error("%s: needs a value", name);
		return -1;
	}
	return config->preset ? take_setting(config, name, value)
			      : take_option(config, name, value);
}

static int take_lines(struct config *config, char *content, size_t length)
{
	static const char mark[] = "\xef\xbb\xbf"; /* that some editors write */
	char place[PLACE_BYTES];
	unsigned number = 1;
	int error = 0;
	char *end = content + length;
	if (strncmp(content, mark, sizeof(mark) - 1) == 0) {
		content += sizeof(mark) - 1;
	}
	while (!error && content < end) {
		char *newline = memchr(content, '\n', (size_t)(end - content));
		char *next = newline ? newline + 1 : end;
		size_t bytes = (size_t)((newline ? newline : end) - content);
		content[bytes] = '\0';
		snprintf(place, sizeof(place), "%s:%u", config->path, number++);
		log_set_place(place);
		error = take_line(config, content, bytes);
		log_set_place(NULL);
		content = next;
	}
	return error;
}

int config_read(struct parser *parser, const char *jid)
{
	struct config config = {.parser = parser, .home = home_directory()};
	char *content = NULL;
	size_t length = 0;
	int found = find_path(&config, jid) ? read_file(config.path, &content, &length) : 0;
	int error = found > 0 ? take_lines(&config, content, length) : found;
	free(content);
	return error;
}
