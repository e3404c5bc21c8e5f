/* SPDX-License-Identifier: MIT */
/*
 * A file that is sent to a receiver which has some of it already: pieces, sender and receiver, as a
 * list of acts. The receiver writes what comes into its NAME.part, at its place. At the end this
 * must be the file, unless NAME.part was changed behind its back; then the digest says so.
 *
 * An act is a letter and its arguments are digits, as in fuzz_ibb.c. The first four bytes are the
 * sizes of both files, and how they differ.
 *
 *     wN  writes N bytes; zN zeros; f flushes
 *     p   answers the question for digests, if there is one; qN wrongly; g: there is no answer
 *     sN  N blocks or skips leave, and arrive; lN: they are lost; r: all in flight are repeated
 *     dN  a piece of NAME.part changes
 */
#include "fuzz.h"
#include "ibb/pieces.h"
#include "ibb/receiver.h"
#include "ibb/sender.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST	     (3 * PIECES_LENGTH)
#define BLOCK	     ((size_t)65535)
#define WINDOW	     ((size_t)1 << 20)

static uint8_t file[MOST], part[MOST];

struct transfer {
	const uint8_t *at, *end;
	struct pieces *pieces;
	struct sender sender;
	struct receiver receiver;
	struct effects effects;
	uint64_t size, part_size; /* of the file, and of what the receiver had */
	uint64_t out;		  /* bytes written so far */
	uint64_t in;		  /* the receiver's position */
	bool is_changed;	  /* NAME.part, after digests were told */
};

static unsigned take_number(struct transfer *transfer)
{
	return transfer->at == transfer->end ? 0 : (uint8_t)(*transfer->at++ - '0');
}

static size_t take_size(struct transfer *transfer)
{
	static const size_t sizes[] = {
		1,	7,    4096, 100000, PIECES_LENGTH - 1, PIECES_LENGTH, PIECES_LENGTH + 1,
		131072, MOST,
	};
	return sizes[take_number(transfer) % COUNT(sizes)];
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- the sender ---- */

static void decide(struct transfer *transfer)
{
	struct pieces *pieces = transfer->pieces;
	enum pieces_verdict verdict;
	size_t length;
	while ((verdict = pieces_next(pieces, &length)) != PIECES_WAIT) {
		FUZZ_CHECK(length > 0 && length <= pieces->held.length);
		if (verdict == PIECES_SKIP) {
			FUZZ_CHECK(sender_skip(&transfer->sender, length) == 0);
		} else {
			uint8_t *bytes = malloc(length);
			FUZZ_CHECK(bytes != NULL);
			pieces_copy(pieces, bytes, length);
			FUZZ_CHECK(sender_append(&transfer->sender, bytes, length) == 0);
			free(bytes);
		}
		pieces_drop(pieces, length, verdict == PIECES_SKIP);
	}
	FUZZ_CHECK(pieces->start + pieces->held.length == transfer->out);
	FUZZ_CHECK(transfer->sender.written == pieces->start);
	FUZZ_CHECK(!pieces->given_up || pieces->held.length == 0);
}

static void write_some(struct transfer *transfer, size_t length, bool zeros)
{
	length = (size_t)smaller(length, transfer->size - transfer->out);
	if (length == 0 || pieces_is_full(transfer->pieces)) {
		return;
	}
	if (zeros) {
		memset(file + transfer->out, 0, length);
	}
	FUZZ_CHECK(pieces_hold(transfer->pieces, zeros ? NULL : file + transfer->out, length) == 0);
	transfer->out += length;
	decide(transfer);
}

static void flush(struct transfer *transfer)
{
	pieces_flush(transfer->pieces);
	decide(transfer);
	sender_push(&transfer->sender);
}

/* ---- pages ---- */

static void digest_of(uint64_t index, uint64_t size, uint8_t *bytes)
{
	struct digest digest;
	struct hash *hash = hash_create(HASH_SHA_256);
	uint64_t at = index * PIECES_LENGTH;
	FUZZ_CHECK(hash != NULL);
	hash_update(hash, part + at, (size_t)smaller(PIECES_LENGTH, size - at));
	FUZZ_CHECK(hash_finish(hash, &digest) == 0);
	hash_destroy(hash);
	memcpy(bytes, digest.bytes, PIECES_DIGEST);
}

/* `wrong`: bits: 1 another size, 2 half a digest more, 4 one that is wrong, 8 none. */
static void answer(struct transfer *transfer, unsigned wrong)
{
	static uint8_t digests[(PIECES_PAGE + 1) * PIECES_DIGEST];
	uint64_t first, size = transfer->part_size, count = 0;
	uint64_t total = (size + PIECES_LENGTH - 1) / PIECES_LENGTH;
	if (!pieces_want_page(transfer->pieces, &first)) {
		return;
	}
	while (first + count < total) {
		digest_of(first + count, size, digests + count * PIECES_DIGEST);
		count++;
	}
	digests[0] ^= wrong & 4 ? 1 : 0;
	size_t length = wrong & 8 ? 0 : count * PIECES_DIGEST + (wrong & 2 ? PIECES_DIGEST / 2 : 0);
	pieces_add_page(transfer->pieces, first, (int64_t)(size + (wrong & 1)), digests, length);
	transfer->is_changed = transfer->is_changed || wrong & 1;
	decide(transfer);
}

/* ---- the receiver ---- */

static void read_all(struct transfer *transfer)
{
	struct receiver *receiver = &transfer->receiver;
	while (receiver_has_unread(receiver)) {
		uint8_t *bytes = NULL;
		if (receiver_read_skip(receiver)) {
			transfer->in = receiver_position(receiver);
			continue;
		}
		ssize_t length = receiver_read(receiver, 100000, &bytes);
		FUZZ_CHECK(length > 0 && transfer->in + (uint64_t)length <= MOST);
		memcpy(part + transfer->in, bytes, (size_t)length);
		transfer->in += (uint64_t)length;
		free(bytes);
	}
	receiver_commit(receiver);
	receiver_release(receiver, "a@b/c", 0, &transfer->effects);
	FUZZ_CHECK(!receiver->held);
	struct msg *msg;
	while ((msg = effects_take_message(&transfer->effects))) {
		uint64_t number = strtoull(msg->id, NULL, 16);
		FUZZ_CHECK(msg->kind == MSG_RESULT);
		sender_acknowledge(&transfer->sender, number);
		msg_destroy(msg);
	}
}

/* One block or skip. False: there is none. */
static bool send_one(struct transfer *transfer, bool arrives)
{
	static uint8_t bytes[BLOCK];
	struct sender *sender = &transfer->sender;
	size_t length = sender_next_length(sender, BLOCK, WINDOW);
	uint64_t number, skipped = 0;
	char id[32];
	if (length == 0) {
		return false;
	}
	bool skips = length == SENDER_SKIP;
	FUZZ_CHECK((skips ? sender_send_skip(sender, &skipped, &number, 0)
			  : sender_send_block(sender, length, bytes, &number, 0)) == 0);
	FUZZ_CHECK(!skips || skipped > 0);
	snprintf(id, sizeof(id), "%llx", (unsigned long long)number);
	struct msg msg = {
		.kind = skips ? MSG_SKIP : MSG_DATA,
		.peer = "a@b/c",
		.id = id,
		.seq = (uint16_t)number,
		.size = (int64_t)skipped,
		.data = bytes,
		.data_length = skips ? 0 : length,
	};
	struct receiver *receiver = &transfer->receiver;
	if (!arrives || receiver_is_duplicate(receiver, &msg, &transfer->effects)) {
		return true;
	}
	enum condition condition =
		skips ? receiver_skip(receiver, &msg)
		      : receiver_accept(receiver, &msg, BLOCK, WINDOW, &transfer->effects);
	FUZZ_CHECK(condition == CONDITION_NONE || condition == CONDITION_UNEXPECTED_REQUEST);
	return true;
}

static void change_part(struct transfer *transfer, unsigned number)
{
	if (transfer->part_size > 0) {
		part[(size_t)number * 20011 % transfer->part_size] ^= 0x55;
		transfer->is_changed = true;
	}
}

static void play(struct transfer *transfer, uint8_t act)
{
	switch (act) {
	case 'w':
	case 'z':
		write_some(transfer, take_size(transfer), act == 'z');
		break;
	case 'f':
		flush(transfer);
		break;
	case 'p':
		answer(transfer, 0);
		break;
	case 'q':
		answer(transfer, take_number(transfer));
		break;
	case 'g':
		pieces_give_up(transfer->pieces);
		decide(transfer);
		break;
	case 's':
	case 'l':
		for (unsigned n = take_number(transfer); n > 0; n--) {
			send_one(transfer, act == 's');
		}
		read_all(transfer);
		break;
	case 'r':
		sender_retransmit_all(&transfer->sender);
		break;
	case 'd':
		change_part(transfer, take_number(transfer));
		break;
	default:
		break;
	}
}

/* Everything is written, and arrives. */
static void end(struct transfer *transfer)
{
	while (transfer->out < transfer->size) {
		answer(transfer, 0);
		write_some(transfer, PIECES_LENGTH, false);
	}
	answer(transfer, 0);
	flush(transfer);
	FUZZ_CHECK(transfer->pieces->held.length == 0);
	while (!sender_is_empty(&transfer->sender)) {
		sender_retransmit_all(&transfer->sender);
		while (send_one(transfer, true)) {
		}
		read_all(transfer);
	}
	FUZZ_CHECK(transfer->in == transfer->size);
	FUZZ_CHECK(transfer->receiver.received == transfer->size);
	FUZZ_CHECK(transfer->sender.acknowledged == transfer->size);

	struct digest digest;
	const struct digest *wanted = pieces_finish(transfer->pieces);
	struct hash *hash = hash_create(HASH_SHA_256);
	FUZZ_CHECK(wanted && hash);
	hash_update(hash, part, (size_t)transfer->size);
	FUZZ_CHECK(hash_finish(hash, &digest) == 0);
	hash_destroy(hash);
	bool same = memcmp(part, file, (size_t)transfer->size) == 0;
	FUZZ_CHECK(digest_equals(&digest, wanted) == same);
	FUZZ_CHECK(same || transfer->is_changed);
}

/* The sizes, and a file in which every piece is another one. */
static void prepare(struct transfer *transfer)
{
	transfer->size = smaller(take_size(transfer), MOST) - take_number(transfer) % 2;
	transfer->part_size = smaller(take_size(transfer), MOST) - take_number(transfer) % 2;
	for (size_t i = 0; i < MOST; i++) {
		file[i] = (uint8_t)(i % 251 + i / PIECES_LENGTH);
	}
	memcpy(part, file, MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct transfer transfer = {
		.at = bytes,
		.end = bytes + length,
		.pieces = pieces_create(),
	};
	FUZZ_CHECK(transfer.pieces != NULL);
	transfer.receiver.needs_commit = true;
	prepare(&transfer);
	while (transfer.at < transfer.end) {
		play(&transfer, *transfer.at++);
	}
	end(&transfer);
	pieces_destroy(transfer.pieces);
	sender_finish(&transfer.sender);
	receiver_finish(&transfer.receiver);
	effects_finish(&transfer.effects);
	return 0;
}
