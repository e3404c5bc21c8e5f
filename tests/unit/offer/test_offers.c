/* SPDX-License-Identifier: MIT */
/*
 * Files that are offered in both directions, at random: users open, close, interrupt and remove;
 * peers accept, refuse, end, fall silent and go offline; connections break. In every case,
 *
 *     - a close that succeeds has given the peer every byte;
 *     - a reader that gets an end of file has read every byte, and its digest was right;
 *     - when peers fall silent, every call ends;
 *     - every call is completed once, and nothing leaks (scene.c).
 */
#include "ibb/hash.h"
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS	   1500
#define MOST	   8 /* files in each direction, in one round */
#define MOST_STEPS 300
#define LONGEST	   40 /* bytes of a file */
#define LEAST_LEFT 16 /* room for calls in the scene */

static const char *const peers[] = {"a@x/si", "b@x/jingle"};

/* One of ours. */
struct out {
	char path[16];
	struct handle *handle; /* NULL: not open (any more) */
	struct call *open, *close;
	char sid[HANDLE_SID_SIZE];
	char text[LONGEST];
	size_t length;
	char received[LONGEST];
	size_t received_length;
};

/* One of theirs. */
struct in {
	unsigned peer;
	char name[16], id[16], sid[16];
	char text[LONGEST];
	size_t length, sent;
	unsigned seq;
	bool begun, closed, bad_digest, promised;
	struct handle *handle;
	struct call *open, *read;
	size_t had;
};

struct play {
	struct scene scene;
	unsigned random;
	struct out outs[MOST];
	struct in ins[MOST];
	size_t outs_length, ins_length;
	unsigned delivered, received; /* of files that are not empty, whole */
};

static unsigned chance(struct play *play, unsigned n)
{
	play->random = play->random * 1103515245 + 12345;
	return (play->random >> 16) % n;
}

static void make_text(struct play *play, char *text, size_t *length)
{
	*length = chance(play, 4) ? chance(play, LONGEST) : 0;
	for (size_t i = 0; i < *length; i++) {
		text[i] = (char)('a' + chance(play, 26));
	}
}

static struct digest digest_of(enum hash_algorithm algorithm, const char *text, size_t length)
{
	struct digest digest;
	struct hash *hash = hash_create(algorithm);
	assert_non_null(hash);
	assert_int_equal(hash_update(hash, text, length), 0);
	assert_int_equal(hash_finish(hash, &digest), 0);
	hash_destroy(hash);
	return digest;
}

/* ---- what has come of calls ---- */

static void look_at_out(struct play *play, struct out *out)
{
	if (out->open && call_is_done(out->open)) {
		out->handle = out->open->op.result == 0 ? call_handle(out->open) : NULL;
		out->open = NULL;
	}
	if (out->close && call_is_done(out->close)) {
		if (out->close->op.result == 0) {
			assert_int_equal(out->received_length, out->length);
			assert_memory_equal(out->received, out->text, out->length);
			play->delivered += out->length > 0;
		}
		out->close = NULL;
	}
}

static void look_at_in(struct play *play, struct in *in)
{
	if (in->open && call_is_done(in->open)) {
		in->handle = in->open->op.result == 0 ? call_handle(in->open) : NULL;
		in->open = NULL;
	}
	if (!in->read || !call_is_done(in->read)) {
		return;
	}
	ssize_t result = in->read->op.result;
	if (result > 0) {
		assert_true(in->had + (size_t)result <= in->length);
		assert_memory_equal(in->read->op.data, in->text + in->had, (size_t)result);
		in->had += (size_t)result;
	} else if (result == 0) {
		assert_int_equal(in->had, in->length);
		assert_false(in->bad_digest);
		play->received += in->length > 0;
	}
	in->read = NULL;
}

static void look(struct play *play)
{
	for (size_t i = 0; i < play->outs_length; i++) {
		look_at_out(play, &play->outs[i]);
	}
	for (size_t i = 0; i < play->ins_length; i++) {
		look_at_in(play, &play->ins[i]);
	}
}

/* ---- our users ---- */

static void open_out(struct play *play)
{
	if (play->outs_length == MOST) {
		return;
	}
	struct out *out = &play->outs[play->outs_length];
	unsigned peer = chance(play, 2);
	memset(out, 0, sizeof(*out));
	snprintf(out->path, sizeof(out->path), "%c@x/f%zu", "ab"[peer], play -> outs_length);
	if (!scene_find(&play->scene, peer ? "b@x" : "a@x")) {
		return;
	}
	make_text(play, out->text, &out->length);
	out->open = scene_open(&play->scene, out->path, O_WRONLY);
	snprintf(out->sid, sizeof(out->sid), "sid%u", play->scene.last_sid);
	play->outs_length++;
}

static void use_out(struct play *play, struct out *out)
{
	struct scene *scene = &play->scene;
	if (out->handle && !handle_is_spooled(out->handle)) {
		return; /* bytestreams are not checked here */
	}
	switch (chance(play, 4)) {
	case 0:
	case 1:
		if (out->handle && !out->close) {
			out->close = scene_offer(scene, out->handle, out->text, out->length, NULL);
		}
		break;
	case 2:
		if (out->close && chance(play, 4) == 0) {
			scene_interrupt(scene, out->close);
		} else if (scene_find(scene, out->path) && chance(play, 8) == 0) {
			scene_unlink(scene, out->path);
		}
		break;
	default:
		if (out->handle && !out->close && chance(play, 3) == 0) {
			struct handle *handle = out->handle;
			out->handle = NULL;
			scene_leave(scene, handle, out->text, out->length);
		}
	}
}

static void use_in(struct play *play, struct in *in)
{
	struct scene *scene = &play->scene;
	char path[64];
	snprintf(path, sizeof(path), "%c@x/in/%s", "ab"[in->peer], in -> name);
	const struct node *node = scene_find(scene, path);
	if (in->handle && chance(play, 12) == 0 && !in->read) {
		struct handle *handle = in->handle;
		in->handle = NULL;
		scene_release(scene, handle);
	} else if (in->handle && !in->read) {
		in->read = scene_read(scene, in->handle, 1 + chance(play, LONGEST));
	} else if (in->read && chance(play, 10) == 0) {
		scene_interrupt(scene, in->read);
	} else if (in->open && chance(play, 10) == 0) {
		scene_interrupt(scene, in->open);
	} else if (node && !in->open && !in->handle && chance(play, 10) == 0) {
		scene_unlink(scene, path);
	} else if (node && !in->open && !in->handle) {
		in->open = scene_open(scene, path, O_RDONLY);
	}
}

/* ---- the peers ---- */

static void take_block(struct play *play, const struct msg *data)
{
	for (size_t i = 0; i < play->outs_length; i++) {
		struct out *out = &play->outs[i];
		if (strcmp(out->sid, data->sid) == 0) {
			assert_true(out->received_length + data->data_length <= out->length);
			memcpy(out->received + out->received_length, data->data, data->data_length);
			out->received_length += data->data_length;
		}
	}
}

static void say(struct play *play, unsigned peer, const char *session, enum jingle_action action)
{
	struct metadata metadata = scene_session("x", 1, session);
	metadata.action = action;
	metadata.reason = (enum jingle_reason)chance(play, JINGLE_UNSUPPORTED_TRANSPORTS + 1);
	if (action == JINGLE_SESSION_TERMINATE && metadata.reason == JINGLE_SUCCESS) {
		metadata.reason = JINGLE_CANCEL; /* nobody lies */
	}
	scene_peer_says(&play->scene, peers[peer], session, &metadata);
}

static void answer_initiate(struct play *play, const struct msg *msg)
{
	char session[HANDLE_SID_SIZE];
	struct metadata metadata = *msg->metadata;
	snprintf(session, sizeof(session), "%s", msg->sid);
	scene_result(&play->scene);
	metadata.action = JINGLE_SESSION_ACCEPT;
	if (metadata.block_size > 1) {
		metadata.block_size -= chance(play, 2);
	}
	if (chance(play, 4)) {
		scene_peer_says(&play->scene, peers[1], session, &metadata);
	} else if (chance(play, 2)) {
		say(play, 1, session, JINGLE_SESSION_TERMINATE);
	}
}

static void answer_one(struct play *play)
{
	struct scene *scene = &play->scene;
	const struct msg *msg = scene_next(scene);
	if (!msg || msg->kind == MSG_RESULT || msg->kind == MSG_ERROR) {
		return;
	}
	unsigned mood = chance(play, 16);
	if (msg->kind == MSG_INFO) {
		bool si = strcmp(msg->peer, peers[0]) == 0;
		scene_says(scene, FEATURE_IBB | (si ? FEATURE_SI : FEATURE_JINGLE));
	} else if (mood == 0) {
		scene_error(scene, (enum condition)(1 + chance(play, 22)));
	} else if (mood == 1 && msg->kind != MSG_DATA) {
		return; /* silence */
	} else if (msg->kind == MSG_SI) {
		scene_accept(scene);
	} else if (msg->kind == MSG_JINGLE && msg->metadata->action == JINGLE_SESSION_INITIATE) {
		answer_initiate(play, msg);
	} else {
		if (msg->kind == MSG_DATA) {
			take_block(play, msg);
		}
		scene_result(scene);
	}
}

/* She confirms a complete file of ours. */
static void confirm(struct play *play)
{
	for (size_t i = 0; i < play->outs_length; i++) {
		struct out *out = &play->outs[i];
		if (out->received_length == out->length && chance(play, 4) == 0) {
			struct metadata metadata = {
				.action = chance(play, 2) ? JINGLE_RECEIVED
							  : JINGLE_SESSION_TERMINATE,
				.reason = JINGLE_SUCCESS,
			};
			scene_peer_says(&play->scene, peers[1], out->sid, &metadata);
		}
	}
}

static void make_offer(struct play *play)
{
	if (play->ins_length == MOST) {
		return;
	}
	struct in *in = &play->ins[play->ins_length];
	size_t n = play->ins_length++;
	memset(in, 0, sizeof(*in));
	in->peer = chance(play, 2);
	snprintf(in->name, sizeof(in->name), "i%zu", n);
	snprintf(in->id, sizeof(in->id), "s%zu", n);
	snprintf(in->sid, sizeof(in->sid), "%c%zu", "st"[in->peer], n);
	make_text(play, in->text, &in->length);
	int64_t size = (int64_t)in->length;
	struct metadata metadata =
		in->peer ? scene_session(in->name, size, in->sid) : scene_file(in->name, size);
	enum hash_algorithm algorithm = in->peer ? HASH_SHA_256 : HASH_MD5;
	switch (chance(play, 4)) {
	case 0:
		metadata.file.digest = digest_of(algorithm, in->text, in->length);
		break;
	case 1:
		metadata.file.digest = digest_of(algorithm, "another text", 12);
		in->bad_digest = true;
		break;
	case 2:
		in->promised = in->peer == 1;
		metadata.file.digest.algorithm = in->promised ? algorithm : HASH_NONE;
		break;
	default:
		break;
	}
	if (in->peer) {
		scene_peer_says(&play->scene, peers[1], in->id, &metadata);
	} else {
		scene_peer_offers(&play->scene, peers[0], in->id, &metadata);
	}
}

static void send_more(struct play *play, struct in *in)
{
	struct scene *scene = &play->scene;
	char block[LONGEST + 1];
	if (!in->begun) {
		scene_peer_begins(scene, peers[in->peer], in->sid, SCENE_BLOCK);
		in->begun = true; /* if it was not expected yet, no bytes follow */
		return;
	}
	if (in->promised && chance(play, 4) == 0) {
		struct metadata metadata = {
			.action = JINGLE_CHECKSUM,
			.file.digest = digest_of(HASH_SHA_256, in->text, in->length),
		};
		in->promised = false;
		if (chance(play, 2) && in->sent < in->length) {
			metadata.file.digest.bytes[5] ^= 1;
			in->bad_digest = true;
		}
		scene_peer_says(scene, peers[1], in->id, &metadata);
		return;
	}
	if (in->sent == in->length || chance(play, 20) == 0) {
		if (!in->closed) {
			scene_peer_closes(scene, peers[in->peer], in->sid, false);
		}
		in->closed = true;
		return;
	}
	size_t length = 1 + chance(play, SCENE_BLOCK);
	length = length < in->length - in->sent ? length : in->length - in->sent;
	memcpy(block, in->text + in->sent, length);
	block[length] = '\0';
	scene_peer_sends(scene, peers[in->peer], in->sid, in->seq++, block);
	in->sent += length;
}

/* Whether we expect the stream of this offer. */
static bool is_expected(const struct play *play, const struct in *in)
{
	const struct offer *offer;
	for (offer = play->scene.account.offers.all; offer; offer = offer->next) {
		if (offer->is_incoming && offer->stream && strcmp(offer->sid, in->sid) == 0) {
			return true;
		}
	}
	return in->begun;
}

/* ---- the rest of the world ---- */

static void come(struct play *play)
{
	for (unsigned i = 0; i < 2; i++) {
		scene_contact(&play->scene, i ? "b@x" : "a@x");
		scene_comes(&play->scene, peers[i], 0);
	}
}

static void trouble(struct play *play)
{
	struct scene *scene = &play->scene;
	unsigned peer = chance(play, 2);
	switch (chance(play, 8)) {
	case 0:
		scene_goes(scene, peers[peer]);
		scene_comes(scene, peers[peer], 0);
		break;
	case 1:
		dispatch_offline(&scene->account, "gone", chance(play, 2) ? scene->now_ms + 1 : 0,
				 scene->now_ms);
		scene_settle(scene);
		scene_wait(scene, chance(play, SCENE_TIMEOUT));
		dispatch_online(&scene->account, SCENE_ME, scene->now_ms);
		come(play);
		break;
	case 2:
		scene_wait(scene, chance(play, 2 * SCENE_ANSWER_TIMEOUT));
		break;
	default:
		scene_wait(scene, chance(play, 2 * OFFER_CONFIRM_MS));
	}
}

static void anything_by_jingle(struct play *play)
{
	char session[16];
	bool ours = chance(play, 2) > 0;
	snprintf(session, sizeof(session), "%s%u", ours ? "sid" : "s", chance(play, MOST));
	enum jingle_action action = (enum jingle_action)chance(play, JINGLE_OTHER + 1);
	if (action == JINGLE_RECEIVED || action == JINGLE_SESSION_ACCEPT ||
	    action == JINGLE_CHECKSUM || action == JINGLE_SESSION_INITIATE) {
		return; /* these would be lies */
	}
	say(play, 1, session, action);
}

static void take_step(struct play *play)
{
	struct in *in = play->ins_length ? &play->ins[chance(play, play->ins_length)] : NULL;
	struct out *out = play->outs_length ? &play->outs[chance(play, play->outs_length)] : NULL;
	unsigned kind = chance(play, 100);
	if (kind < 35) {
		answer_one(play);
	} else if (kind < 40) {
		open_out(play);
	} else if (kind < 55 && out) {
		use_out(play, out);
	} else if (kind < 60) {
		make_offer(play);
	} else if (kind < 75 && in) {
		use_in(play, in);
	} else if (kind < 92 && in && is_expected(play, in)) {
		send_more(play, in);
	} else if (kind < 96) {
		confirm(play);
	} else if (kind < 97) {
		anything_by_jingle(play);
	} else if (kind < 98) {
		trouble(play);
	}
	look(play);
}

/* Peers fall silent: no call waits for ever. */
static void fall_silent(struct play *play)
{
	scene_wait(&play->scene, 4 * SCENE_ANSWER_TIMEOUT);
	look(play);
	for (size_t i = 0; i < play->outs_length; i++) {
		assert_true(!play->outs[i].open && !play->outs[i].close);
	}
	for (size_t i = 0; i < play->ins_length; i++) {
		assert_true(!play->ins[i].open && !play->ins[i].read);
	}
}

/* The end is random, too. */
static void end(struct play *play)
{
	struct scene *scene = &play->scene;
	unsigned how = chance(play, 3);
	if (how == 0) {
		fall_silent(play);
	} else if (how == 1) {
		shutdown_begin(&scene->account, chance(play, 2) > 0, scene->now_ms);
		scene_settle(scene);
		for (unsigned i = 0; i < 30; i++) {
			answer_one(play);
			look(play);
		}
	}
	shutdown_abandon(&scene->account, scene->now_ms);
	scene_settle(scene);
	look(play);
	assert_null(scene->account.handles);
	scene_finish(scene);
}

static void test_chance(void **state)
{
	(void)state;
	struct play *play = malloc(sizeof(*play));
	assert_non_null(play);
	unsigned delivered = 0, received = 0;
	for (unsigned seed = 1; seed <= ROUNDS; seed++) {
		memset(play, 0, sizeof(*play));
		play->random = seed;
		scene_start(&play->scene, ACCEPT_CONTACTS);
		play->scene.account.ibb.config.reconnect_ms = seed % 2 ? SCENE_TIMEOUT : 0;
		come(play);
		unsigned room = sizeof(play->scene.calls) / sizeof(play->scene.calls[0]);
		for (unsigned i = 0; i < MOST_STEPS; i++) {
			if (play->scene.calls_length + LEAST_LEFT > room) {
				break;
			}
			take_step(play);
		}
		end(play);
		delivered += play->delivered;
		received += play->received;
	}
	print_message("%u delivered, %u received\n", delivered, received);
	free(play);
	/* Or this says nothing. */
	assert_true(delivered > ROUNDS / 4);
	assert_true(received > ROUNDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_chance)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
