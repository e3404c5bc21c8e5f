/* SPDX-License-Identifier: MIT */
#include "account/attribute.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char prefix[] = "user.ibb.";

static const char *stanza_name(enum stanza stanza)
{
	return stanza == STANZA_MESSAGE ? "message" : "iq";
}

static ssize_t text(char *value, const char *string)
{
	return string ? snprintf(value, ATTRIBUTE_MAX_BYTES, "%s", string) : -ENODATA;
}

static ssize_t number(char *value, uint64_t n)
{
	return snprintf(value, ATTRIBUTE_MAX_BYTES, "%" PRIu64, n);
}

/* ---- a stream's ---- */

static ssize_t get_sid(const struct summary *summary, char *value)
{
	return text(value, summary->sid);
}

static ssize_t get_peer(const struct summary *summary, char *value)
{
	return text(value, summary->peer);
}

static ssize_t get_block_size(const struct summary *summary, char *value)
{
	return summary->block_size == STREAM_AUTO_BLOCK ? text(value, "auto")
							: number(value, summary->block_size);
}

static ssize_t get_stanza(const struct summary *summary, char *value)
{
	return text(value, stanza_name(summary->stanza));
}

static ssize_t get_state(const struct summary *summary, char *value)
{
	return text(value, summary->state);
}

static ssize_t get_format(const struct summary *summary, char *value)
{
	return text(value, format_name(summary->format));
}

static ssize_t get_sent(const struct summary *summary, char *value)
{
	return number(value, summary->sent);
}

static ssize_t get_received(const struct summary *summary, char *value)
{
	return number(value, summary->received);
}

static ssize_t get_window(const struct summary *summary, char *value)
{
	return number(value, summary->window);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	ssize_t (*get)(const struct summary *summary, char *value);
	bool of_directories; /* where it can be set (defaults.h) */
} attributes[] = {
	{"block_size", get_block_size, true},
	{"format", get_format, true},
	{"peer", get_peer, false},
	{"received", get_received, false},
	{"sent", get_sent, false},
	{"sid", get_sid, false},
	{"stanza", get_stanza, true},
	{"state", get_state, false},
	{"window", get_window, false},
};

#define COUNT (sizeof(attributes) / sizeof(attributes[0]))

/* The row of "user.ibb.NAME", or COUNT. */
static size_t find(const char *name)
{
	size_t row = COUNT;
	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0) {
		for (row = 0; row < COUNT; row++) {
			if (strcmp(attributes[row].name, name + sizeof(prefix) - 1) == 0) {
				break;
			}
		}
	}
	return row;
}

static bool is_stream(const struct node *node)
{
	return (node->kind == NODE_OUTGOING || node->kind == NODE_ARRIVED) &&
	       stream_file_has_session(&node->file);
}

/* Directories that streams of ours can be opened below. */
static bool has_defaults(const struct node *node)
{
	return node->kind == NODE_ROOT || node->kind == NODE_CONTACT || node->kind == NODE_RESOURCE;
}

uint32_t attribute_block_size(const struct account *account, const struct node *directory)
{
	for (; directory; directory = directory->parent) {
		if (directory->directory.defaults.block_size > 0) {
			return directory->directory.defaults.block_size;
		}
	}
	return account->ibb.config.block_size;
}

enum stanza attribute_stanza(const struct account *account, const struct node *directory)
{
	for (; directory; directory = directory->parent) {
		if (directory->directory.defaults.has_stanza) {
			return directory->directory.defaults.stanza;
		}
	}
	return account->ibb.config.stanza;
}

enum format attribute_format(const struct node *directory)
{
	for (; directory; directory = directory->parent) {
		if (directory->directory.defaults.has_format) {
			return directory->directory.defaults.format;
		}
	}
	return FORMAT_AUTO;
}

/* The format of a spooled file may be decided when it is offered. */
static struct summary summarize(const struct node *node)
{
	struct summary summary = stream_file_summarize(&node->file);
	if (node->file.spooled && node->file.stream && !node->file.offer) {
		summary.format = attribute_format(node->parent);
	}
	return summary;
}

ssize_t attribute_get(const struct account *account, const struct node *node, const char *name,
		      char *value)
{
	size_t row = find(name);
	if (row < COUNT && is_stream(node)) {
		struct summary summary = summarize(node);
		return attributes[row].get(&summary, value);
	}
	if (row < COUNT && has_defaults(node) && attributes[row].of_directories) {
		struct summary defaults = {
			.block_size = attribute_block_size(account, node),
			.stanza = attribute_stanza(account, node),
			.format = attribute_format(node),
		};
		return attributes[row].get(&defaults, value);
	}
	return -ENODATA;
}

/* Whether `node` has the attribute of `row`, with a value. */
static bool has_attribute(const struct node *node, size_t row)
{
	char value[ATTRIBUTE_MAX_BYTES];
	if (is_stream(node)) {
		struct summary summary = summarize(node);
		return attributes[row].get(&summary, value) >= 0;
	}
	return has_defaults(node) && attributes[row].of_directories;
}

ssize_t attribute_list(const struct node *node, char *names)
{
	size_t length = 0;
	for (size_t row = 0; row < COUNT; row++) {
		if (has_attribute(node, row)) {
			length += (size_t)snprintf(names + length, ATTRIBUTE_MAX_BYTES - length,
						   "%s%s", prefix, attributes[row].name) +
				  1;
		}
	}
	return (ssize_t)length;
}

/* ---- calls that set ---- */

/* 0: the attribute of `row`, called `name`, can be set on `node`. */
static int check(const struct node *node, const char *name, size_t row)
{
	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
		return -EOPNOTSUPP; /* which cp and mv take as: not on this file system */
	}
	if (row == COUNT) {
		return -ENODATA;
	}
	return has_defaults(node) && attributes[row].of_directories ? 0 : -EPERM;
}

int attribute_set(struct node *node, const char *name, const char *value, size_t length)
{
	char copy[16];
	size_t row = find(name);
	int error = check(node, name, row);
	if (error) {
		return error;
	}
	if (length == 0 || length >= sizeof(copy) || memchr(value, '\0', length)) {
		return -EINVAL;
	}
	memcpy(copy, value, length);
	copy[length] = '\0';
	return defaults_set(&node->directory.defaults, attributes[row].name, copy);
}

int attribute_remove(struct node *node, const char *name)
{
	size_t row = find(name);
	int error = check(node, name, row);
	return error ? error : defaults_set(&node->directory.defaults, attributes[row].name, NULL);
}
