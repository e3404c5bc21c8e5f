/* SPDX-License-Identifier: MIT */
#include "account/inbox_file.h"

#include "account/inbox_part.h"
#include "account/incoming.h"
#include "account/name.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const struct node *contact_of(const struct node *node)
{
	return node_above_folders(node->parent)->parent; /* above in/ */
}

/* Jingle has a word for the end, and the last writer of another ibbfs waits for the answer to
 * <close/>. Any other sender may take the last acknowledgement for the end. Of an offered file it
 * is known which one is the last. */
static void defer_acknowledgements(const struct account *account, const struct node *node)
{
	struct stream *stream = node->file.stream;
	const struct offer *offer = node->file.offer;
	bool has_word = offer ? offer->format == OFFER_JINGLE : stream->session.resumable;
	stream_defer_acknowledgements(stream);
	if (account->inbox_syncs) {
		stream_sync_when_asked(stream);
	}
	if (!has_word && (offer || account->inbox_syncs)) {
		stream_defer_last_acknowledgement(stream);
	}
}

enum hash_algorithm inbox_file_digest_of_rest(const struct offer *offer)
{
	return offer->has_range && offer->size > 0 ? offer->checksum.digest.algorithm : HASH_NONE;
}

/* Copies a string to *at, behind which the next one goes. */
static const char *put_string(char **at, const char *string)
{
	char *copy = *at;
	*at = stpcpy(copy, string) + 1;
	return copy;
}

static struct inbox_arrival *make_arrival(const struct account *account, const struct node *node,
					  const char *folder)
{
	const struct stream *stream = node->file.stream;
	bool has_begun = stream && stream->peer;
	struct stream_facts facts;
	const char *contact = contact_of(node)->name;
	size_t size = strlen(contact) + strlen(node->name) + strlen(folder) + 3;
	if (has_begun) {
		size += strlen(account->jid) + strlen(stream->peer) + strlen(stream->sid) + 3;
	}
	struct inbox_arrival *arrival = calloc(1, sizeof(*arrival) + size);
	if (!arrival) {
		return NULL;
	}
	char *at = (char *)(arrival + 1);
	arrival->contact = put_string(&at, contact);
	arrival->name = put_string(&at, node->name);
	arrival->folder = put_string(&at, folder);
	if (has_begun) {
		arrival->own = put_string(&at, account->jid);
		arrival->peer = put_string(&at, stream->peer);
		arrival->sid = put_string(&at, stream->sid);
		arrival->resumable = stream_describe(stream, &facts);
		arrival->block_size = arrival->resumable ? facts.block_size : 0;
	}
	return arrival;
}

/* -1: it is not known. */
static int64_t announced_size(const struct node *node)
{
	if (node->file.offer) {
		return node->file.offer->size;
	}
	return node->file.stream ? node->file.stream->session.announced_size : -1;
}

/* Whether `node` goes on with a part. A peer that can skip nothing of it replaces all: otherwise
 * each of its attempts would leave a part of its own. */
static bool has_part(const struct account *account, const struct node *node)
{
	char path[INBOX_PART_PATH_SIZE];
	const struct stream *stream = node->file.stream;
	if (!stream || !stream->name) {
		return false;
	}
	return stream->incoming.part.is_offered ||
	       (inbox_part_path(node, path) && parts_have(account->parts, path));
}

int inbox_file_add(struct account *account, struct node *node)
{
	char folder[NAME_FOLDER_SIZE];
	if (node_folder_path(node->parent, folder, sizeof(folder)) < 0) {
		return -ENOMEM;
	}
	struct inbox_arrival *arrival = make_arrival(account, node, folder);
	if (!arrival) {
		return -ENOMEM;
	}
	arrival->ino = node->ino;
	arrival->size = announced_size(node);
	arrival->digest =
		node->file.offer ? inbox_file_digest_of_rest(node->file.offer) : HASH_NONE;
	arrival->has_part = has_part(account, node);
	arrival->date = node->file.offer ? node->file.offer->date : METADATA_NO_DATE;
	DL_APPEND(account->arrivals, arrival);
	node->inbox.state = INBOX_RECEIVING;
	node->file.size = 0;
	if (node->file.stream) {
		defer_acknowledgements(account, node);
	}
	return 0;
}

struct inbox_arrival *inbox_file_take_arrivals(struct account *account)
{
	struct inbox_arrival *list = account->arrivals;
	account->arrivals = NULL;
	return list;
}

/* ---- for the inbox ---- */

static struct node *find(const struct account *account, uint64_t ino)
{
	struct node *node = tree_find(&account->tree, ino);
	return node && node->parent && node->inbox.state == INBOX_RECEIVING ? node : NULL;
}

void inbox_file_decline(struct account *account, uint64_t ino, int error, int64_t now_ms)
{
	char part[INBOX_PART_PATH_SIZE];
	struct node *node = find(account, ino);
	if (node) {
		bool has_path = inbox_part_path(node, part);
		if (node->file.stream) {
			ibb_abort(&account->ibb, node->file.stream, error); /* the peer is told */
		}
		account_drop(account, node, now_ms);
		if (has_path) {
			inbox_part_show(account, part, now_ms);
		}
	}
}

static int set_path(struct node *node, const char *path)
{
	char *copy = strdup(path);
	if (!copy) {
		return -ENOMEM;
	}
	free(node->inbox.path);
	node->inbox.path = copy;
	return 0;
}

bool inbox_file_is_offered(const struct account *account, uint64_t ino)
{
	const struct node *node = find(account, ino);
	return node && node->file.offer && node->file.offer->state == OFFER_WAITING &&
	       !account->stopping;
}

int inbox_file_continue(struct account *account, uint64_t ino, uint64_t offset, struct hash *hash)
{
	if (!inbox_file_is_offered(account, ino)) {
		hash_destroy(hash);
		return -ECONNRESET;
	}
	return offer_continue(find(account, ino)->file.offer, offset, hash) ? 0 : -ECONNRESET;
}

/* Of the file on disk, so far. */
static uint64_t size_of(const struct node *node)
{
	const struct offer *offer = node->file.offer;
	return (offer ? offer->offset : 0) + node->file.stream->incoming.receiver.committed;
}

/* Why nothing more comes; 0: it may. -ESHUTDOWN: the daemon ends, and the next process gets the
 * rest. */
static int stream_error(const struct account *account, const struct stream *stream)
{
	if (stream ? stream->resumption.handed_over : account->stopping) {
		return -ESHUTDOWN;
	}
	return stream ? 0 : -ECONNRESET;
}

void inbox_file_set_journaled(struct account *account, uint64_t ino, bool journaled)
{
	const struct node *node = find(account, ino);
	if (node && node->file.stream) {
		stream_set_journaled(node->file.stream, journaled);
	}
}

void inbox_file_begin(struct account *account, uint64_t ino, const char *path, uint64_t size,
		      struct op *op, int64_t now_ms)
{
	char wanted[INBOX_PART_PATH_SIZE];
	struct node *node = find(account, ino);
	int error = node ? set_path(node, path) : -ENOENT;
	inbox_part_use(account, path, now_ms);
	if (node && inbox_part_path(node, wanted)) {
		inbox_part_show(account, wanted, now_ms); /* if it receives into another one */
	}
	if (!error) {
		error = account_accept(account, node, now_ms);
	}
	if (!error) {
		error = stream_error(account, node->file.stream);
	}
	if (error) {
		account_complete(account, op, error);
		return;
	}
	defer_acknowledgements(account, node);
	node->file.size = size_of(node);
	stream_set_part(node->file.stream, size);
	if (node->file.stream->state >= STREAM_OPEN) {
		account_complete(account, op, 0);
	} else {
		stream_wait_open(node->file.stream, op);
	}
}

void inbox_file_read(struct account *account, uint64_t ino, bool synced, struct op *op)
{
	struct node *node = find(account, ino);
	struct stream *stream = node ? node->file.stream : NULL;
	int error = node ? stream_error(account, stream) : -ENOENT;
	if (error) {
		account_complete(account, op, error);
		return;
	}
	stream_commit(stream);
	node->file.size = node->inbox.readable = size_of(node);
	if (synced) {
		stream_sync(stream);
	}
	stream_read(stream, op);
}

void inbox_file_answer_page(struct account *account, uint64_t ino, uint64_t first,
			    const uint8_t *digests, size_t length)
{
	struct node *node = find(account, ino);
	if (node && node->file.stream) {
		stream_answer_page(node->file.stream, first, digests, length);
	}
}

bool inbox_file_digest(const struct account *account, uint64_t ino, uint8_t *digest)
{
	const struct node *node = find(account, ino);
	const struct stream *stream = node ? node->file.stream : NULL;
	if (!stream || !stream->incoming.part.has_digest) {
		return false;
	}
	memcpy(digest, stream->incoming.part.digest, PIECES_DIGEST);
	return true;
}

int inbox_file_error(const struct account *account, uint64_t ino)
{
	const struct node *node = find(account, ino);
	const struct stream *stream = node ? node->file.stream : NULL;
	int error = node ? stream_error(account, stream) : -ENOENT;
	return !error && stream_is_over(stream) ? -ECONNRESET : error;
}

int inbox_file_name(struct account *account, uint64_t ino, const char *path)
{
	struct node *node = find(account, ino);
	return node ? set_path(node, path) : -ENOENT;
}

/* Any other fault, such as a lost block or a break, says nothing of the bytes before it. */
static bool is_wrong(const struct node *node)
{
	const struct offer *offer = node->file.offer;
	const struct stream *stream = node->file.stream;
	return offer && (offer->checksum.wrong ||
			 (offer->offset > 0 && stream && stream->incoming.too_long));
}

int inbox_file_end(struct account *account, uint64_t ino, const char *path, int error,
		   int64_t now_ms)
{
	struct node *node = find(account, ino);
	if (!node) {
		return -ENOENT;
	}
	if (!error) {
		error = set_path(node, path);
	}
	if (error && node->file.stream) {
		ibb_abort(&account->ibb, node->file.stream, error);
	} else if (node->file.stream) {
		/* Only now the peer may believe that we have it. */
		ibb_keep(&account->ibb, node->file.stream);
		offers_settle(&account->offers, now_ms);
	}
	uint64_t size = node->file.size;
	bool wrong = error && is_wrong(node);
	if (node->file.stream || node->file.offer) {
		account_finish_file(account, node, !error, now_ms);
	}
	node->file.size = size;
	if (error) {
		node->inbox.error = error;
		if (!inbox_part_rest(account, node, path)) {
			free(node->inbox.path);
			node->inbox.path = NULL;
			node->inbox.state = INBOX_NONE;
			account->announced++;
		}
		return wrong ? -EBADMSG : 0;
	}
	node->file.expires_ms = NODE_NEVER;
	node->inbox.state = INBOX_COMPLETE;
	node->file.arrival = ++account->last_arrival;
	incoming_announce(account, node, now_ms);
	return 0;
}

int inbox_file_resume(struct account *account, const struct inbox_path *path, const char *part,
		      const struct stream_facts *facts, int64_t now_ms, uint64_t *ino)
{
	struct node *node;
	int error = inbox_entry_add(account, path, part, now_ms, &node);
	if (error) {
		return error;
	}
	bool same = jid_same_bare(contact_of(node)->directory.jid, facts->peer);
	error = -EINVAL;
	struct stream *stream = same ? ibb_restore(&account->ibb, facts, now_ms, &error) : NULL;
	if (!stream) {
		account_drop(account, node, now_ms);
		return error;
	}
	stream_set_journaled(stream, true);
	inbox_part_use(account, node->inbox.path, now_ms);
	node->inbox.state = INBOX_RECEIVING;
	node->file.stream = stream;
	node->file.size = facts->received;
	node->file.sample.taken_ms = now_ms;
	node->file.sample.bytes = facts->received;
	*ino = node->ino;
	return 0;
}
