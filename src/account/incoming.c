/* SPDX-License-Identifier: MIT */
#include "account/incoming.h"

#include "account/name.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* A line of `incoming`: contact's directory, "/in/", folder, '/', name, newline. */
#define LINE_SIZE (2 * NAME_MAX_BYTES + NAME_FOLDER_SIZE + 8)

/* ---- incoming ---- */

/* Whether `node` is older than the best so far, which may be NULL. */
static bool is_older(const struct node *node, const struct node *best)
{
	return !best || node->file.arrival < best->file.arrival;
}

/* The oldest stream in `in` that was not yet listed to `handle`, or `found` if that is older. */
static struct node *next_line_in(const struct handle *handle, const struct node *in,
				 struct node *found)
{
	struct node *node;
	DL_FOREACH (in->children, node) {
		if (node->kind == NODE_FOLDER) {
			found = next_line_in(handle, node, found);
		} else if (node->kind == NODE_ARRIVED && node->file.arrival > handle->last_line &&
			   (!node->file.opened || node->file.arrival > handle->first_line) &&
			   (!node->inbox.state || node->inbox.state == INBOX_COMPLETE) &&
			   is_older(node, found)) {
			found = node;
		}
	}
	return found;
}

/* The oldest stream of all contacts that was not yet listed to `handle`, or NULL. */
static struct node *next_line(const struct account *account, const struct handle *handle)
{
	struct node *found = NULL, *contact;
	if (handle->last_line >= account->last_arrival) {
		return NULL; /* makes the call cheap, however many contacts there are */
	}
	DL_FOREACH (account->tree.root->children, contact) {
		struct node *in =
			contact->kind == NODE_CONTACT ? tree_only(contact, NODE_IN) : NULL;
		if (in) {
			found = next_line_in(handle, in, found);
		}
	}
	return found;
}

/* Whether the current line was read in part. */
static bool is_within_line(const struct handle *handle)
{
	return handle->text_position < handle->text_length;
}

/* Sets the current line; *found: there is one. -ENOMEM. */
static int fetch_line(const struct account *account, struct handle *handle, bool *found)
{
	*found = is_within_line(handle);
	if (*found) {
		return 0;
	}
	struct node *node = next_line(account, handle);
	if (!node) {
		return 0;
	}
	if (!handle->text) {
		handle->text = malloc(LINE_SIZE);
		if (!handle->text) {
			return -ENOMEM;
		}
	}
	int length = node_path(node, handle->text, LINE_SIZE - 1);
	handle->text[length] = '\n';
	handle->text_length = (size_t)length + 1;
	handle->text_position = 0;
	handle->last_line = node->file.arrival;
	*found = true;
	return 0;
}

/* Whether there is still nothing for `handle`: whatever it may get is announced. */
static bool is_quiet(const struct account *account, const struct handle *handle)
{
	return handle->quiet == account->announced;
}

static struct node *note(const struct account *account, struct handle *handle, struct node *found)
{
	handle->quiet = found ? 0 : account->announced;
	return found;
}

bool incoming_has_line(const struct account *account, struct handle *handle)
{
	return is_within_line(handle) ||
	       (!is_quiet(account, handle) && note(account, handle, next_line(account, handle)));
}

void incoming_read(struct account *account, struct handle *handle, struct op *op)
{
	bool found;
	int error = fetch_line(account, handle, &found);
	if (error) {
		account_complete(account, op, error);
	} else if (found) {
		/* A reader with a small buffer, like a shell's `read`, gets the line in pieces. */
		handle_read_text(account, handle, op);
	} else if (op->nonblock) {
		account_complete(account, op, -EAGAIN);
	} else {
		op_park(op, &handle->node->waiters);
	}
}

/* ---- next ---- */

/* Whether `next` can hand it out. A file in the inbox must be complete. */
static bool is_takeable(const struct node *node)
{
	return node->inbox.state ? node->inbox.state == INBOX_COMPLETE
				 : node->file.stream || node->file.offer;
}

/* The oldest one in `in`, or `found` if that is older. */
static struct node *next_in(const struct node *in, struct node *found)
{
	struct node *node;
	DL_FOREACH (in->children, node) {
		if (node->kind == NODE_FOLDER) {
			found = next_in(node, found);
		} else if (node->kind == NODE_ARRIVED && is_takeable(node) && node->handles == 0 &&
			   !node->file.opened && is_older(node, found)) {
			found = node;
		}
	}
	return found;
}

struct node *incoming_next(const struct account *account, struct handle *handle)
{
	const struct node *in = handle->node->parent;
	return in && !is_quiet(account, handle) ? note(account, handle, next_in(in, NULL)) : NULL;
}

void incoming_read_next(struct account *account, struct handle *handle, struct op *op,
			int64_t now_ms)
{
	if (handle_read(account, handle, op)) {
		return;
	}
	if (handle->attached) {
		account_complete(account, op, -EACCES); /* its stream is over */
		return;
	}
	struct node *node = incoming_next(account, handle);
	int error = node ? account_accept(account, node, now_ms) : 0;
	if (node && node->inbox.state) {
		handle_attach_inbox_file(handle, node);
		account_complete(account, op, HANDLE_IN_INBOX);
		return;
	}
	/* A reader with O_NONBLOCK owns the stream only after its first byte has arrived. */
	if (error) {
		node->file.opened = true; /* the next read takes another one */
		account_complete(account, op, error);
	} else if (node && (!op->nonblock || stream_can_read(node->file.stream))) {
		handle_attach(handle, node);
		handle_read(account, handle, op);
	} else if (op->nonblock) {
		account_complete(account, op, -EAGAIN);
	} else {
		op_park(op, &handle->node->waiters);
	}
}

/* ---- both ---- */

/* Empties the list of reads that are parked in `node`. Reads that find nothing park again, in the
 * same order. */
static struct op *take_waiters(struct node *node)
{
	struct op *waiters = node->waiters;
	node->waiters = NULL;
	return waiters;
}

static struct op *next_waiter(struct op **waiters)
{
	struct op *op = *waiters;
	if (op) {
		DL_DELETE(*waiters, op);
		op->list = NULL;
	}
	return op;
}

void incoming_announce(struct account *account, struct node *node, int64_t now_ms)
{
	struct op *op, *waiters;
	account->announced++;
	/* The first reader of `next` gets the stream; further reads of the same open file are reads
	 * of that stream then. Every reader of `incoming` gets the line. */
	waiters = take_waiters(tree_only(node_above_folders(node->parent), NODE_NEXT));
	while ((op = next_waiter(&waiters))) {
		incoming_read_next(account, op->context, op, now_ms);
	}
	waiters = take_waiters(account->tree.incoming);
	while ((op = next_waiter(&waiters))) {
		incoming_read(account, op->context, op);
	}
}
