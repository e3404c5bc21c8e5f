/* SPDX-License-Identifier: MIT */
/* Files that are offered by Jingle, in both directions, through the account. */
#include "offer/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINGER_MS    2000 /* timeout for the peer to end the session */

static void says(struct scene *scene, const char *session, enum jingle_action action)
{
	struct metadata metadata = {.action = action};
	scene_peer_says(scene, PHONE, session, &metadata);
}

/* She ends the session; we send nothing more. */
static void ends(struct scene *scene, const char *session, enum jingle_reason reason)
{
	struct metadata metadata = {.action = JINGLE_SESSION_TERMINATE, .reason = reason};
	scene_peer_says(scene, PHONE, session, &metadata);
	scene_sent(scene, MSG_RESULT, PHONE);
}

static void sends_digest(struct scene *scene, const char *session, const struct digest *digest)
{
	struct metadata metadata = {.action = JINGLE_CHECKSUM, .file.digest = *digest};
	scene_peer_says(scene, PHONE, session, &metadata);
	scene_sent(scene, MSG_RESULT, PHONE);
}

static void we_end(struct scene *scene, const char *session, enum jingle_reason reason)
{
	const struct msg *msg = scene_jingle(scene, JINGLE_SESSION_TERMINATE, PHONE);
	assert_string_equal(msg->sid, session);
	assert_int_equal(msg->metadata->reason, reason);
	scene_result(scene);
}

/* We have confirmed a file by <received/>. */
static void we_have_it(struct scene *scene, const char *session, char *id, size_t size)
{
	const struct msg *msg = scene_jingle(scene, JINGLE_RECEIVED, PHONE);
	assert_string_equal(msg->sid, session);
	assert_string_equal(msg->metadata->content, "content");
	snprintf(id, size, "%s", msg->id);
	scene_result(scene);
}

/* The same after the bytestream was closed: the session is over too. */
static void we_thank(struct scene *scene, const char *session)
{
	char id[32];
	we_have_it(scene, session, id, sizeof(id));
	we_end(scene, session, JINGLE_SUCCESS);
	assert_string_not_equal(scene->sent->id, id);
	scene_is_quiet(scene);
}

/* The same, before it is closed: the session ends with it. */
static void we_thank_early(struct scene *scene, const char *session)
{
	char id[32];
	we_have_it(scene, session, id, sizeof(id));
	scene_is_quiet(scene);
	scene_peer_closes(scene, PHONE, "t", false);
	scene_sent(scene, MSG_RESULT, PHONE);
	we_end(scene, session, JINGLE_SUCCESS);
	scene_is_quiet(scene);
}

/* The session is unknown now. */
static void assert_forgotten(struct scene *scene, const char *session)
{
	says(scene, session, JINGLE_PING);
	scene_refused(scene, PHONE, CONDITION_ITEM_NOT_FOUND, DETAIL_UNKNOWN_SESSION);
}

/* ---- they offer ---- */

/* An offer of hers is in in/. */
static void offer_with(struct scene *scene, const char *session, const struct metadata *metadata)
{
	scene_peer_says(scene, PHONE, session, metadata);
	scene_sent(scene, MSG_RESULT, PHONE);
	scene_is_quiet(scene);
}

static void offer(struct scene *scene, const char *session, const char *name, int64_t size)
{
	struct metadata metadata = scene_session(name, size, "t");
	offer_with(scene, session, &metadata);
}

/* The usual file; its digest follows. */
static void offer_usual(struct scene *scene)
{
	struct metadata metadata = scene_session("f", 12, "t");
	metadata.file.digest.algorithm = HASH_SHA_256;
	offer_with(scene, "j1", &metadata);
}

static void sees_accept(struct scene *scene)
{
	scene_jingle(scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_result(scene);
}

static const struct transfer_format format = {
	.feature = FEATURE_JINGLE,
	.sid = "t",
	.offer = offer_usual,
	.sees_accept = sees_accept,
	.checks = true,
};

static void test_incoming(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct metadata metadata = scene_session("photo.jpg", 12, "t");
	metadata.file.date = 1000000000;
	metadata.block_size = 65535;
	offer_with(&scene, "j1", &metadata);
	struct stat attributes;
	node_attributes(scene_find(&scene, "a@x/in/photo.jpg"), &attributes);
	assert_int_equal(attributes.st_size, 12);
	assert_int_equal(attributes.st_mtim.tv_sec, 1000000000);
	assert_state(&scene, "a@x/in/photo.jpg", "offered");
	assert_string_equal(scene_attribute(&scene, "a@x/in/photo.jpg", "format"), "jingle");
	assert_string_equal(scene_attribute(&scene, "a@x/in/photo.jpg", "peer"), PHONE);
	says(&scene, "j1", JINGLE_PING);
	scene_sent(&scene, MSG_RESULT, PHONE);

	struct call *open = scene_open(&scene, "a@x/in/photo.jpg", O_RDONLY);
	const struct msg *msg = scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	assert_string_equal(msg->sid, "j1");
	assert_string_equal(msg->metadata->content, "content");
	assert_false(msg->metadata->by_responder);
	assert_string_equal(msg->metadata->transport_sid, "t");
	assert_int_equal(msg->metadata->block_size, SCENE_BLOCK); /* lowered */
	assert_int_equal(msg->metadata->file.size, 12);
	scene_result(&scene);
	assert_waits(open);
	scene_is_quiet(&scene);
	scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
	scene_sent(&scene, MSG_RESULT, PHONE);
	assert_result(open, 0);
	struct handle *handle = call_handle(open);
	transfer_block(&scene, "t", 0, "Hello, w");
	assert_text(scene_read(&scene, handle, 100), "Hello, w");
	assert_state(&scene, "a@x/in/photo.jpg", "open");
	scene_is_quiet(&scene);
	transfer_block(&scene, "t", 1, "orld");
	we_thank_early(&scene, "j1");
	assert_text(scene_read(&scene, handle, 100), "orld");
	assert_result(scene_read(&scene, handle, 100), 0);
	assert_state(&scene, "a@x/in/photo.jpg", "finished");
	assert_forgotten(&scene, "j1");
	scene_release(&scene, handle);
	assert_state(&scene, "a@x/in/photo.jpg", "finished");
	assert_null(scene.account.offers.all);
	scene_finish(&scene);
}

/* Dino opens it before it answers our session-accept, Gajim with blocks as it had offered them. */
static void test_incoming_opened_early(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "j1", "f", 12);
	struct call *open = scene_open(&scene, "a@x/in/f", O_RDONLY);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	char id[32];
	snprintf(id, sizeof(id), "%s", scene.sent->id);
	scene_peer_begins(&scene, PHONE, "t", 4096);
	assert_result(open, 0);
	scene_sent(&scene, MSG_RESULT, PHONE);
	struct handle *handle = call_handle(open);
	transfer_block(&scene, "t", 0, "Hello, wor");
	scene_receive(&scene, &(struct msg){.kind = MSG_RESULT, .peer = PHONE, .id = id});
	transfer_block(&scene, "t", 1, "ld");
	we_thank_early(&scene, "j1");
	assert_text(scene_read(&scene, handle, 100), TEXT);
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_finish(&scene);
}

/* A file of 12 bytes whose digest is `promised`; all but the last four bytes were received. */
static struct handle *receive_most(struct scene *scene, const struct digest *promised)
{
	struct metadata metadata = scene_session("f", 12, "t");
	metadata.file.digest = *promised;
	offer_with(scene, "j1", &metadata);
	struct call *open = scene_open(scene, "a@x/in/f", O_RDONLY);
	scene_jingle(scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_result(scene);
	scene_peer_begins(scene, PHONE, "t", SCENE_BLOCK);
	scene_sent(scene, MSG_RESULT, PHONE);
	assert_result(open, 0);
	transfer_block(scene, "t", 0, "Hello, w");
	return call_handle(open);
}

static void test_incoming_digest(void **state)
{
	(void)state;
	for (unsigned right = 0; right < 2; right++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct digest digest = transfer_digest(HASH_SHA_256, right ? TEXT : "Hello, World");
		struct handle *handle = receive_most(&scene, &digest);
		/* The digest of the offer counts, and a later one is ignored. */
		struct digest other = transfer_digest(HASH_SHA_256, "other");
		sends_digest(&scene, "j1", &other);
		transfer_block(&scene, "t", 1, "orld");
		if (right) {
			we_thank_early(&scene, "j1");
		} else {
			we_end(&scene, "j1", JINGLE_MEDIA_ERROR);
		}
		scene_is_quiet(&scene);
		assert_text(scene_read(&scene, handle, 100), TEXT);
		assert_result(scene_read(&scene, handle, 100), right ? 0 : -EBADMSG);
		assert_result(scene_read(&scene, handle, 100), right ? 0 : -EBADMSG);
		assert_state(&scene, "a@x/in/f", right ? "finished" : "broken");
		scene_release(&scene, handle);
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

enum digest_comes {
	BEFORE,
	AFTER,
	NEVER,
	ENDS
};

static void test_incoming_promised_digest(void **state)
{
	(void)state;
	static const struct digest promise = {.algorithm = HASH_SHA_256};
	static const struct {
		enum digest_comes comes;
		const char *of;
		ssize_t end;
	} rows[] = {
		{BEFORE, TEXT, 0}, {BEFORE, "Hello, World", -EBADMSG},
		{AFTER, TEXT, 0},  {AFTER, "Hello, World", -EBADMSG},
		{NEVER, NULL, 0},  {ENDS, NULL, 0},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct digest digest = transfer_digest(HASH_SHA_256, rows[i].of ? rows[i].of : "");
		struct handle *handle = receive_most(&scene, &promise);
		if (rows[i].comes == BEFORE) {
			sends_digest(&scene, "j1", &digest);
		}
		transfer_block(&scene, "t", 1, "orld");
		assert_text(scene_read(&scene, handle, 100), TEXT);
		struct call *end = scene_read(&scene, handle, 100);
		if (rows[i].comes != BEFORE) {
			scene_is_quiet(&scene);
			assert_waits(end);
			assert_state(&scene, "a@x/in/f", "checking");
			assert_result(scene_poll(&scene, handle, 100), -EAGAIN);
			assert_int_equal(poll_start(&scene.account, handle, NULL), 0);
			/* A close is no reason to trust the file. */
			scene_peer_closes(&scene, PHONE, "t", false);
			scene_sent(&scene, MSG_RESULT, PHONE);
			scene_wait(&scene, OFFER_CHECKSUM_MS - 1);
			assert_waits(end);
		}
		if (rows[i].comes == AFTER) {
			struct digest md5 = digest;
			md5.algorithm = HASH_MD5; /* which was not promised */
			sends_digest(&scene, "j1", &md5);
			assert_waits(end);
			sends_digest(&scene, "j1", &digest);
		} else if (rows[i].comes == ENDS) {
			ends(&scene, "j1", JINGLE_SUCCESS); /* none will come */
		} else if (rows[i].comes == NEVER) {
			scene_wait(&scene, 1);
		}
		assert_result(end, rows[i].end);
		if (rows[i].comes == ENDS) {
			scene_is_quiet(&scene);
		} else if (rows[i].end == 0) {
			(rows[i].comes == BEFORE ? we_thank_early : we_thank)(&scene, "j1");
		} else {
			we_end(&scene, "j1", JINGLE_MEDIA_ERROR);
		}
		scene_release(&scene, handle);
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

/* Conversations and Swift never close a bytestream. */
static void test_incoming_never_closed(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct digest digest = transfer_digest(HASH_SHA_256, TEXT);
	struct handle *handle = receive_most(&scene, &digest);
	transfer_block(&scene, "t", 1, "orld");
	char id[32];
	we_have_it(&scene, "j1", id, sizeof(id));
	assert_text(scene_read(&scene, handle, 100), TEXT);
	assert_result(scene_read(&scene, handle, 100), 0);
	scene_wait(&scene, 1999);
	scene_is_quiet(&scene);
	scene_wait(&scene, 1);
	we_end(&scene, "j1", JINGLE_SUCCESS);
	scene_is_quiet(&scene);
	assert_forgotten(&scene, "j1");
	scene_peer_closes(&scene, PHONE, "t", false);
	scene_refused(&scene, PHONE, CONDITION_ITEM_NOT_FOUND, DETAIL_NONE);
	scene_release(&scene, handle);
	scene_finish(&scene);
}

static void test_incoming_closed(void **state)
{
	(void)state;
	struct digest none = {.algorithm = HASH_NONE};
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = receive_most(&scene, &none);
	scene_peer_closes(&scene, PHONE, "t", false);
	scene_sent(&scene, MSG_RESULT, PHONE);
	we_end(&scene, "j1", JINGLE_FAILED_TRANSPORT);
	assert_text(scene_read(&scene, handle, 100), "Hello, w");
	assert_result(scene_read(&scene, handle, 100), -ECONNRESET);
	scene_release(&scene, handle);

	/* More bytes than were offered. */
	handle = receive_most(&scene, &none);
	scene_peer_sends(&scene, PHONE, "t", 1, "orld.");
	scene_refused(&scene, PHONE, CONDITION_BAD_REQUEST, DETAIL_NONE);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	we_end(&scene, "j1", JINGLE_FAILED_TRANSPORT);
	assert_text(scene_read(&scene, handle, 100), "Hello, w");
	assert_result(scene_read(&scene, handle, 100), -EPROTO);
	scene_release(&scene, handle);

	/* A file whose size is unknown. */
	offer(&scene, "j2", "g", METADATA_NO_SIZE);
	struct call *open = scene_open(&scene, "a@x/in/g", O_RDONLY);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_result(&scene);
	scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
	scene_sent(&scene, MSG_RESULT, PHONE);
	handle = call_handle(open);
	transfer_block(&scene, "t", 0, "Hello");
	assert_text(scene_read(&scene, handle, 100), "Hello");
	struct call *end = scene_read(&scene, handle, 100);
	assert_waits(end);
	scene_peer_closes(&scene, PHONE, "t", false);
	assert_result(end, 0);
	scene_sent(&scene, MSG_RESULT, PHONE);
	we_thank(&scene, "j2");
	scene_release(&scene, handle);

	/* Empty. */
	offer(&scene, "j3", "h", 0);
	open = scene_open(&scene, "a@x/in/h", O_RDONLY);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_result(&scene);
	scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
	assert_result(open, 0);
	scene_sent(&scene, MSG_RESULT, PHONE);
	we_thank_early(&scene, "j3");
	assert_result(scene_read(&scene, call_handle(open), 100), 0);
	scene_finish(&scene);
}

static void test_incoming_is_declined(void **state)
{
	(void)state;
	for (enum transfer_stage when = OFFERED; when < STAGES; when++) {
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_receive(&scene, &format, when, &call);
		assert_int_equal(scene_unlink(&scene, "a@x/in/f"), 0);
		assert_no(&scene, "a@x/in/f");
		if (call) {
			assert_result(call, -ECONNRESET);
		}
		if (when > ACCEPTED) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
			scene_result(&scene);
		}
		we_end(&scene, "j1", when == OFFERED ? JINGLE_DECLINE : JINGLE_FAILED_TRANSPORT);
		scene_is_quiet(&scene);
		if (handle) {
			scene_release(&scene, handle);
		}
		scene_settle(&scene);
		assert_null(scene.account.offers.all);
		scene_finish(&scene);
	}

	/* Left in the middle. */
	struct scene scene;
	struct call *call;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_receive(&scene, &format, HALF, &call);
	scene_interrupt(&scene, call);
	scene_release(&scene, handle);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	we_end(&scene, "j1", JINGLE_CANCEL);
	scene_finish(&scene);
}

static void test_incoming_ended_by_peer(void **state)
{
	(void)state;
	static const struct {
		enum jingle_reason reason;
		ssize_t results[STAGES];
	} rows[] = {
		{JINGLE_CANCEL, {0, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED}},
		{JINGLE_SUCCESS, {0, -ECANCELED, -ECANCELED, -ECANCELED, 1}},
		{JINGLE_TIMEOUT, {0, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT}},
		{JINGLE_MEDIA_ERROR, {0, -EBADMSG, -EBADMSG, -EBADMSG, -EBADMSG}},
		{JINGLE_NO_REASON, {0, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET}},
		{JINGLE_GONE, {0, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET}},
	};
	for (size_t i = 0; i < COUNT(rows) * STAGES; i++) {
		enum transfer_stage when = i % STAGES;
		ssize_t result = rows[i / STAGES].results[when];
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_receive(&scene, &format, when, &call);
		ends(&scene, "j1", rows[i / STAGES].reason);
		if (when == OFFERED) {
			assert_no(&scene, "a@x/in/f");
		} else if (result > 0) {
			assert_result(call, 0);
		} else {
			assert_result(call, result);
			assert_state(&scene, "a@x/in/f", "broken");
		}
		if (when == OPENED || when == HALF) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
		}
		scene_is_quiet(&scene);
		assert_forgotten(&scene, "j1");
		if (handle) {
			scene_release(&scene, handle);
			scene_is_quiet(&scene);
		}
		scene_finish(&scene);
	}
}

/* She ends the session while the last bytes are read but not yet confirmed, as in the inbox. */
static void test_incoming_ended_before_it_is_safe(void **state)
{
	(void)state;
	for (unsigned closes = 0; closes < 2; closes++) {
		struct scene scene;
		transfer_start(&scene, &format);
		offer(&scene, "j1", "f", closes ? METADATA_NO_SIZE : 12);
		struct call *open = scene_open(&scene, "a@x/in/f", O_RDONLY);
		scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
		scene_result(&scene);
		struct handle *handle = open->op.context;
		stream_defer_acknowledgements(handle->attached->file.stream);
		scene_peer_begins(&scene, PHONE, "t", 65535);
		scene_sent(&scene, MSG_RESULT, PHONE);
		assert_result(open, 0);
		scene_peer_sends(&scene, PHONE, "t", 0, TEXT);
		scene_is_quiet(&scene);
		assert_text(scene_read(&scene, handle, 100), TEXT);
		if (closes) {
			scene_peer_closes(&scene, PHONE, "t", false);
			scene_is_quiet(&scene);
		}
		ends(&scene, "j1", JINGLE_SUCCESS);
		struct call *end = scene_read(&scene, handle, 100);
		assert_waits(end);
		stream_commit(handle->attached->file.stream);
		scene_settle(&scene);
		assert_result(end, 0);
		scene_sent(&scene, MSG_RESULT, PHONE); /* the block */
		scene_is_quiet(&scene);
		assert_state(&scene, "a@x/in/f", "checking");
		ibb_keep(&scene.account.ibb, handle->attached->file.stream);
		scene_settle(&scene);
		if (closes) {
			scene_sent(&scene, MSG_RESULT, PHONE);
		}
		assert_state(&scene, "a@x/in/f", "finished");
		scene_finish(&scene);
	}
}

static void test_incoming_content_removed(void **state)
{
	(void)state;
	for (enum transfer_stage when = OFFERED; when < STAGES; when++) {
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		transfer_receive(&scene, &format, when, &call);
		says(&scene, "j1", JINGLE_CONTENT_REMOVE);
		scene_sent(&scene, MSG_RESULT, PHONE);
		if (when == OPENED || when == HALF) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
		}
		we_end(&scene, "j1", JINGLE_CANCEL);
		scene_is_quiet(&scene);
		if (call) {
			assert_result(call, -ECANCELED);
		} else {
			assert_no(&scene, "a@x/in/f");
		}
		scene_finish(&scene);
	}
}

/* An action out of order, or for an unknown session, gets the XEP's error and changes nothing. */
static void test_incoming_out_of_place(void **state)
{
	(void)state;
	static const struct {
		enum jingle_action action;
		enum condition condition; /* NONE: a result */
		enum detail detail;
	} rows[] = {
		{JINGLE_PING, CONDITION_NONE, DETAIL_NONE},
		{JINGLE_CHECKSUM, CONDITION_NONE, DETAIL_NONE},
		{JINGLE_SESSION_INITIATE, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_SESSION_ACCEPT, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_RECEIVED, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_INFO, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_UNSUPPORTED_INFO},
		{JINGLE_TRANSPORT_REPLACE, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_NONE},
		{JINGLE_OTHER, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_NONE},
	};
	for (enum transfer_stage when = OFFERED; when < STAGES; when++) {
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_receive(&scene, &format, when, &call);
		for (size_t i = 0; i < COUNT(rows); i++) {
			struct metadata metadata = scene_session("other", 1, "t2");
			metadata.action = rows[i].action;
			scene_peer_says(&scene, PHONE, "j1", &metadata);
			if (rows[i].condition == CONDITION_NONE) {
				scene_sent(&scene, MSG_RESULT, PHONE);
			} else {
				scene_refused(&scene, PHONE, rows[i].condition, rows[i].detail);
			}
			scene_is_quiet(&scene);
			if (rows[i].action != JINGLE_SESSION_INITIATE) {
				scene_peer_says(&scene, PHONE, "j2", &metadata);
				scene_refused(&scene, PHONE, CONDITION_ITEM_NOT_FOUND,
					      DETAIL_UNKNOWN_SESSION);
				scene_peer_says(&scene, "a@x/laptop", "j1", &metadata);
				scene_refused(&scene, "a@x/laptop", CONDITION_ITEM_NOT_FOUND,
					      DETAIL_UNKNOWN_SESSION);
			}
			scene_is_quiet(&scene);
		}
		assert_true(!call || !call_is_done(call));
		/* And it goes on. */
		if (when == HALF) {
			transfer_block(&scene, "t", 1, "orld");
			assert_text(call, "orld");
			call = scene_read(&scene, handle, 100);
		}
		if (when >= HALF) {
			scene_wait(&scene, OFFER_CHECKSUM_MS);
			assert_result(call, 0);
		}
		scene_finish(&scene);
	}
}

static void test_incoming_that_cannot_be(void **state)
{
	(void)state;
	struct metadata usual = scene_session("f", 5, "t");
	struct metadata s5b = usual, no_size = usual, other_file = usual, two = usual,
			sealed = usual, asked = usual, rest = usual, part = usual;
	s5b.has_ibb = false;
	s5b.transport_sid = NULL;
	no_size.block_size = 0;
	other_file.has_file = false; /* FT:4, or a call */
	two.contents = 2;
	sealed.is_encrypted = true;
	asked.from_responder = true;
	rest.file.has_range = part.file.has_range = true;
	rest.file.offset = 1;
	part.file.length = 4;
	const struct {
		const struct metadata *metadata;
		enum jingle_reason reason;
	} rows[] = {
		{&s5b, JINGLE_UNSUPPORTED_TRANSPORTS},
		{&no_size, JINGLE_UNSUPPORTED_TRANSPORTS},
		{&other_file, JINGLE_UNSUPPORTED_APPLICATIONS},
		{&two, JINGLE_UNSUPPORTED_APPLICATIONS},
		{&asked, JINGLE_UNSUPPORTED_APPLICATIONS},
		{&rest, JINGLE_UNSUPPORTED_APPLICATIONS},
		{&part, JINGLE_UNSUPPORTED_APPLICATIONS},
		{&sealed, JINGLE_SECURITY_ERROR},
	};
	struct scene scene;
	transfer_start(&scene, &format);
	for (size_t i = 0; i < COUNT(rows); i++) {
		scene_peer_says(&scene, PHONE, "j1", rows[i].metadata);
		scene_sent(&scene, MSG_RESULT, PHONE);
		we_end(&scene, "j1", rows[i].reason);
		assert_no(&scene, "a@x/in/f");
		assert_null(scene.account.offers.all);
		assert_forgotten(&scene, "j1");
	}

	/* Nobody who may not. */
	scene_peer_says(&scene, "stranger@x/r", "j1", &usual);
	scene_refused(&scene, "stranger@x/r", CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);

	/* Two bytestreams with the same sid. */
	offer(&scene, "j1", "f", 5);
	offer(&scene, "j2", "g", 5);
	struct call *open = scene_open(&scene, "a@x/in/f", O_RDONLY);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	assert_result(scene_open(&scene, "a@x/in/g", O_RDONLY), -EPROTO);
	scene_is_quiet(&scene);
	scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
	scene_sent(&scene, MSG_RESULT, PHONE);
	assert_result(open, 0);
	scene_peer_begins(&scene, PHONE, "t", SCENE_BLOCK);
	scene_refused(&scene, PHONE, CONDITION_NOT_ACCEPTABLE, DETAIL_NONE);
	scene_finish(&scene);
}

/* Too many. */
static void test_incoming_flood(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	char session[16];
	for (unsigned i = 0; i < SCENE_STREAMS; i++) {
		snprintf(session, sizeof(session), "j%u", i);
		offer(&scene, session, "f", 5);
	}
	struct metadata metadata = scene_session("f", 5, "t");
	scene_peer_says(&scene, PHONE, "more", &metadata);
	scene_refused(&scene, PHONE, CONDITION_NOT_ACCEPTABLE, DETAIL_NONE);
	ends(&scene, "j3", JINGLE_CANCEL);
	scene_settle(&scene);
	offer(&scene, "more", "f", 5);
	scene_finish(&scene);
}

/* While the mount ends, no session begins, and existing ones may end. */
static void test_incoming_while_stopping(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct call *call;
	transfer_receive(&scene, &format, OFFERED, &call);
	shutdown_begin(&scene.account, false, scene.now_ms);
	scene_settle(&scene);
	we_end(&scene, "j1", JINGLE_DECLINE);
	struct metadata metadata = scene_session("f", 5, "t");
	scene_peer_says(&scene, PHONE, "j2", &metadata);
	scene_refused(&scene, PHONE, CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	assert_no(&scene, "a@x/in/f (2)");
	assert_null(scene.account.offers.all);
	scene_finish(&scene);
}

static void test_incoming_accept_is_refused(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	offer(&scene, "j1", "f", 5);
	struct call *open = scene_open(&scene, "a@x/in/f", O_RDONLY);
	scene_jingle(&scene, JINGLE_SESSION_ACCEPT, PHONE);
	scene_error(&scene, CONDITION_ITEM_NOT_FOUND);
	assert_result(open, -ECONNRESET);
	scene_is_quiet(&scene);
	assert_forgotten(&scene, "j1");
	scene_finish(&scene);
}

static void test_incoming_breaks(void **state)
{
	(void)state;
	static const ssize_t results[BREAKS][STAGES] = {
		[PEER_GONE] = {0, -EHOSTDOWN, -ECONNRESET, -ECONNRESET, 0}, /* all is here */
		[DISCONNECTED] = {0, -ENETDOWN, -ECONNRESET, -ECONNRESET, 0},
		[SILENT] = {0, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT, 0},
		[STOPPED] = {0, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET},
		[ABANDONED] = {0, -ENETDOWN, -ECONNRESET, -ECONNRESET, -ECONNRESET},
	};
	for (size_t i = 0; i < (size_t)BREAKS * STAGES; i++) {
		enum transfer_break how = i / STAGES;
		enum transfer_stage stage = i % STAGES;
		struct scene scene;
		struct call *call;
		transfer_start(&scene, &format);
		transfer_receive(&scene, &format, stage, &call);
		transfer_break(&scene, how);
		if (call) {
			assert_result(call, results[how][stage]);
		}
		if (how == PEER_GONE) {
			scene_is_quiet(&scene); /* the account is offline */
		}
		if (how == SILENT && stage == ACCEPTED) {
			we_end(&scene, "j1", JINGLE_TIMEOUT);
		}
		if (stage == OFFERED && how < SILENT) {
			assert_no(&scene, "a@x/in/f");
		}
		scene_finish(&scene);
	}
}

/* ---- we offer ---- */

/* It is offered as `session`; she acknowledges the request. */
static struct call *offered(struct scene *scene, struct handle *handle, const char *session)
{
	struct call *close = scene_offer(scene, handle, TEXT, 12, NULL);
	const struct msg *msg = scene_jingle(scene, JINGLE_SESSION_INITIATE, PHONE);
	assert_string_equal(msg->sid, session);
	assert_string_equal(msg->metadata->file.description, msg->metadata->file.name);
	scene_result(scene);
	scene_is_quiet(scene);
	assert_waits(close);
	return close;
}

/* She accepts a stream `sid`, with blocks of `block_size`. */
static void accepts(struct scene *scene, const char *session, const char *sid, uint32_t block_size)
{
	struct metadata metadata = scene_session("f", 12, sid);
	metadata.action = JINGLE_SESSION_ACCEPT;
	metadata.block_size = block_size;
	scene_peer_says(scene, PHONE, session, &metadata);
	scene_sent(scene, MSG_RESULT, PHONE);
}

static void test_outgoing(void **state)
{
	(void)state;
	static const struct {
		bool receives, ends;
		ssize_t result;
		const char *state;
	} rows[] = {
		{true, true, 0, "finished"},
		{true, false, 0, "finished"},
		{false, true, 0, "finished"},
		{false, false, -ETIMEDOUT, "unconfirmed"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f.txt");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		const struct msg *msg = scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE);
		assert_string_equal(msg->sid, "sid1");
		assert_string_equal(msg->metadata->file.name, "f.txt");
		assert_int_equal(msg->metadata->file.size, 12);
		assert_true(msg->metadata->file.date != METADATA_NO_DATE);
		assert_string_equal(msg->metadata->file.media_type, "application/octet-stream");
		assert_int_equal(msg->metadata->file.digest.algorithm, HASH_SHA_256);
		assert_int_equal(msg->metadata->file.digest.length, 0);
		assert_int_equal(msg->metadata->block_size, SCENE_BLOCK);
		assert_string_equal(msg->metadata->transport_sid, "sid1");
		assert_non_null(msg->metadata->content);
		assert_false(msg->metadata->from_responder);
		scene_result(&scene);
		assert_waits(close);
		assert_state(&scene, "a@x/f.txt", "offered");
		assert_string_equal(scene_attribute(&scene, "a@x/f.txt", "format"), "jingle");
		scene_wait(&scene, SCENE_ANSWER_TIMEOUT - 1); /* she thinks about it */
		says(&scene, "sid1", JINGLE_PING);
		scene_sent(&scene, MSG_RESULT, PHONE);
		accepts(&scene, "sid1", "sid1", 7);
		msg = scene_sent(&scene, MSG_OPEN, PHONE);
		assert_string_equal(msg->sid, "sid1");
		assert_int_equal(msg->block_size, 7);
		assert_null(msg->name);
		scene_result(&scene);

		/* Before the last byte: the receiver of that byte may end the session. */
		struct digest digest = transfer_digest(HASH_SHA_256, TEXT);
		msg = scene_jingle(&scene, JINGLE_CHECKSUM, PHONE);
		assert_true(digest_equals(&msg->metadata->file.digest, &digest));
		scene_result(&scene);
		msg = scene_sent(&scene, MSG_DATA, PHONE);
		assert_int_equal(msg->data_length, 7);
		scene_result(&scene);
		msg = scene_sent(&scene, MSG_DATA, PHONE);
		assert_int_equal(msg->data_length, 5);
		scene_is_quiet(&scene);
		scene_result(&scene);
		scene_sent(&scene, MSG_CLOSE, PHONE);
		scene_result(&scene);
		assert_waits(close);
		assert_state(&scene, "a@x/f.txt", "confirming");
		if (rows[i].receives) {
			says(&scene, "sid1", JINGLE_RECEIVED);
			scene_sent(&scene, MSG_RESULT, PHONE);
			assert_result(close, 0);
		}
		if (rows[i].ends) {
			ends(&scene, "sid1", JINGLE_SUCCESS);
		}
		if (!rows[i].receives && !rows[i].ends) {
			scene_is_quiet(&scene);
			scene_wait(&scene, OFFER_CONFIRM_MS - 1);
			assert_waits(close);
			scene_wait(&scene, 1);
			we_end(&scene, "sid1", JINGLE_TIMEOUT);
		}
		assert_result(close, rows[i].result);
		scene_is_quiet(&scene);
		assert_state(&scene, "a@x/f.txt", rows[i].state);
		scene_release(&scene, handle);
		assert_state(&scene, "a@x/f.txt", rows[i].state);
		if (rows[i].receives && !rows[i].ends) {
			/* She should end the session; if she does not, we do. */
			scene_wait(&scene, LINGER_MS - 1);
			scene_is_quiet(&scene);
			scene_wait(&scene, 1);
			we_end(&scene, "sid1", JINGLE_SUCCESS);
		}
		assert_null(scene.account.offers.all);
		assert_forgotten(&scene, "sid1");
		scene_finish(&scene);
	}
}

/* Conversations accepts at most 8192, whatever is configured. */
static void test_outgoing_block_size(void **state)
{
	(void)state;
	static const struct {
		const char *configured;
		uint32_t offered;
	} rows[] = {
		{"65535", 8192},
		{"auto", 8192},
		{"8192", 8192},
		{"1", 1},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		assert_int_equal(attribute_set(scene_find(&scene, "a@x"), "user.ibb.block_size",
					       rows[i].configured, strlen(rows[i].configured)),
				 0);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		scene_offer(&scene, handle, TEXT, 12, NULL);
		const struct msg *msg = scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE);
		assert_int_equal(msg->metadata->block_size, rows[i].offered);
		bool is_auto = handle->node->file.stream->session.is_auto;
		scene_result(&scene);
		accepts(&scene, "sid1", "sid1", rows[i].offered);
		assert_int_equal(scene_sent(&scene, MSG_OPEN, PHONE)->block_size, rows[i].offered);
		assert_int_equal(handle->node->file.stream->session.is_auto, is_auto);
		assert_int_equal(is_auto, strcmp(rows[i].configured, "auto") == 0);
		scene_finish(&scene);
	}
}

/* Blocks fit into a stanza of our server: <open/> has the negotiated size. */
static void test_outgoing_short_stanzas(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	account_login(&scene.account, 5000);
	assert_int_equal(attribute_set(scene_find(&scene, "a@x"), "user.ibb.block_size", "8192", 4),
			 0);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	scene_offer(&scene, handle, TEXT, 12, NULL);
	const struct msg *msg = scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE);
	uint32_t block_size = msg->metadata->block_size;
	assert_int_equal(block_size, msg_data_room(PHONE, "sid1", 5000));
	scene_result(&scene);
	accepts(&scene, "sid1", "sid1", block_size);
	assert_int_equal(scene_sent(&scene, MSG_OPEN, PHONE)->block_size, block_size);
	scene_finish(&scene);
}

static void test_outgoing_accepted_wrongly(void **state)
{
	(void)state;
	struct metadata usual = scene_session("f", 12, "sid1");
	usual.action = JINGLE_SESSION_ACCEPT;
	struct metadata larger = usual, other = usual, none = usual, s5b = usual;
	larger.block_size = SCENE_BLOCK + 1;
	other.transport_sid = "sid2";
	none.block_size = 0;
	s5b.has_ibb = false;
	s5b.transport_sid = NULL;
	const struct metadata *const rows[] = {&larger, &other, &none, &s5b};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = offered(&scene, handle, "sid1");
		scene_peer_says(&scene, PHONE, "sid1", rows[i]);
		scene_sent(&scene, MSG_RESULT, PHONE);
		assert_result(close, -EPROTONOSUPPORT);
		we_end(&scene, "sid1", JINGLE_FAILED_TRANSPORT);
		scene_is_quiet(&scene);
		assert_forgotten(&scene, "sid1");
		scene_release(&scene, handle);
		assert_null(scene.account.offers.all);
		scene_finish(&scene);
	}
}

static void test_outgoing_is_refused(void **state)
{
	(void)state;
	static const struct {
		enum condition condition;
		ssize_t result;
	} rows[] = {
		{CONDITION_SERVICE_UNAVAILABLE, -EPROTONOSUPPORT},
		{CONDITION_FEATURE_NOT_IMPLEMENTED, -EPROTONOSUPPORT},
		{CONDITION_FORBIDDEN, -ECONNREFUSED},
		{CONDITION_NOT_ACCEPTABLE, -ECONNREFUSED},
		{CONDITION_RESOURCE_CONSTRAINT, -ECONNREFUSED},
		{CONDITION_BAD_REQUEST, -EPROTO},
		{CONDITION_RECIPIENT_UNAVAILABLE, -EHOSTDOWN},
		{CONDITION_REDIRECT, -EHOSTDOWN},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct scene scene;
		transfer_start(&scene, &format);
		struct handle *handle = transfer_spool(&scene, "a@x/f");
		struct call *close = scene_offer(&scene, handle, TEXT, 12, NULL);
		scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE);
		scene_error(&scene, rows[i].condition);
		assert_result(close, rows[i].result);
		scene_is_quiet(&scene);
		assert_state(&scene, "a@x/f", "broken");
		assert_forgotten(&scene, "sid1");
		scene_finish(&scene);
	}
}

enum out {
	WAITING,
	AGREED,
	BEGUN,
	LEFT,
	CONFIRMING,
	OUTS
};

/* A file of ours, up to `when`. */
static struct call *take_to(struct scene *scene, enum out when, struct handle **handle)
{
	*handle = transfer_spool(scene, "a@x/f");
	struct call *close = offered(scene, *handle, "sid1");
	if (when >= AGREED) {
		accepts(scene, "sid1", "sid1", SCENE_BLOCK);
		scene_sent(scene, MSG_OPEN, PHONE);
	}
	if (when >= BEGUN) {
		scene_result(scene);
		scene_jingle(scene, JINGLE_CHECKSUM, PHONE);
		scene_result(scene);
		scene_sent(scene, MSG_DATA, PHONE);
	}
	if (when >= LEFT) {
		scene_result(scene);
		scene_sent(scene, MSG_DATA, PHONE);
	}
	if (when >= CONFIRMING) {
		scene_result(scene);
		scene_sent(scene, MSG_CLOSE, PHONE);
		scene_result(scene);
	}
	assert_waits(close);
	return close;
}

static void test_outgoing_ended_by_peer(void **state)
{
	(void)state;
	static const struct {
		enum jingle_reason reason;
		ssize_t results[OUTS];
	} rows[] = {
		{JINGLE_DECLINE,
		 {-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED}},
		{JINGLE_BUSY,
		 {-ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED, -ECONNREFUSED}},
		{JINGLE_CANCEL, {-ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED}},
		/* <received/> is valid only for a file that was sent completely. */
		{JINGLE_SUCCESS, {-ECANCELED, -ECANCELED, -ECANCELED, 0, 0}},
		{JINGLE_TIMEOUT, {-ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT, -ETIMEDOUT}},
		{JINGLE_GONE, {-EHOSTDOWN, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET}},
		{JINGLE_MEDIA_ERROR, {-ECONNREFUSED, -EBADMSG, -EBADMSG, -EBADMSG, -EBADMSG}},
		{JINGLE_UNSUPPORTED_APPLICATIONS,
		 {-EPROTONOSUPPORT, -EPROTONOSUPPORT, -EPROTONOSUPPORT, -EPROTONOSUPPORT,
		  -EPROTONOSUPPORT}},
		{JINGLE_UNSUPPORTED_TRANSPORTS,
		 {-EPROTONOSUPPORT, -EPROTONOSUPPORT, -EPROTONOSUPPORT, -EPROTONOSUPPORT,
		  -EPROTONOSUPPORT}},
		{JINGLE_FAILED_TRANSPORT,
		 {-EPROTONOSUPPORT, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET}},
		{JINGLE_NO_REASON,
		 {-ECONNREFUSED, -ECONNRESET, -ECONNRESET, -ECONNRESET, -ECONNRESET}},
	};
	for (size_t i = 0; i < COUNT(rows) * OUTS; i++) {
		enum out when = i % OUTS;
		ssize_t result = rows[i / OUTS].results[when];
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		char id[32];
		snprintf(id, sizeof(id), "%s", scene.sent->id);
		ends(&scene, "sid1", rows[i / OUTS].reason);
		if (when == LEFT && result == 0) {
			/* The last block is still to be acknowledged. */
			assert_waits(close);
			scene_receive(&scene,
				      &(struct msg){.kind = MSG_RESULT, .peer = PHONE, .id = id});
			scene_sent(&scene, MSG_CLOSE, PHONE);
			scene_result(&scene);
		}
		assert_result(close, result);
		assert_state(&scene, "a@x/f", result ? "broken" : "finished");
		bool closes = when >= AGREED && when < CONFIRMING && result != 0;
		if (closes) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
		}
		scene_is_quiet(&scene);
		assert_forgotten(&scene, "sid1");
		scene_release(&scene, handle);
		scene_play(&scene);
		assert_state(&scene, "a@x/f", result ? "broken" : "finished");
		assert_null(scene.account.offers.all);
		scene_finish(&scene);
	}
}

/* <received/> counts only when all bytes were sent. */
static void test_outgoing_received_early(void **state)
{
	(void)state;
	for (enum out when = WAITING; when < OUTS; when++) {
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		char id[32];
		snprintf(id, sizeof(id), "%s", scene.sent->id);
		says(&scene, "sid1", JINGLE_RECEIVED);
		scene_sent(&scene, MSG_RESULT, PHONE);
		if (when == CONFIRMING) {
			assert_result(close, 0);
			scene_finish(&scene);
			continue;
		}
		assert_waits(close);
		if (when == WAITING) {
			accepts(&scene, "sid1", "sid1", SCENE_BLOCK);
		} else {
			scene_receive(&scene,
				      &(struct msg){.kind = MSG_RESULT, .peer = PHONE, .id = id});
		}
		scene_play(&scene);
		if (when < LEFT) {
			assert_waits(close);
			scene_wait(&scene, OFFER_CONFIRM_MS);
		}
		assert_result(close, when < LEFT ? -ETIMEDOUT : 0);
		assert_state(&scene, "a@x/f", when < LEFT ? "unconfirmed" : "finished");
		scene_finish(&scene);
	}
}

static void test_outgoing_out_of_place(void **state)
{
	(void)state;
	static const struct {
		enum jingle_action action;
		enum condition condition; /* NONE: a result */
		enum detail detail;
	} rows[] = {
		{JINGLE_PING, CONDITION_NONE, DETAIL_NONE},
		{JINGLE_CHECKSUM, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_SESSION_INITIATE, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_SESSION_ACCEPT, CONDITION_UNEXPECTED_REQUEST, DETAIL_OUT_OF_ORDER},
		{JINGLE_INFO, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_UNSUPPORTED_INFO},
		{JINGLE_TRANSPORT_REPLACE, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_NONE},
		{JINGLE_OTHER, CONDITION_FEATURE_NOT_IMPLEMENTED, DETAIL_NONE},
	};
	for (enum out when = WAITING; when < OUTS; when++) {
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		for (size_t i = 0; i < COUNT(rows); i++) {
			struct metadata metadata = scene_session("f", 12, "sid1");
			metadata.action = rows[i].action;
			if (when == WAITING && metadata.action == JINGLE_SESSION_ACCEPT) {
				continue;
			}
			scene_peer_says(&scene, PHONE, "sid1", &metadata);
			if (rows[i].condition == CONDITION_NONE) {
				scene_sent(&scene, MSG_RESULT, PHONE);
			} else {
				scene_refused(&scene, PHONE, rows[i].condition, rows[i].detail);
			}
		}
		assert_waits(close);
		scene_finish(&scene);
	}
}

static void test_outgoing_content_removed(void **state)
{
	(void)state;
	for (enum out when = WAITING; when < OUTS; when++) {
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		says(&scene, "sid1", JINGLE_CONTENT_REMOVE);
		scene_sent(&scene, MSG_RESULT, PHONE);
		assert_result(close, -ECANCELED);
		if (when >= AGREED && when < CONFIRMING) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
			scene_result(&scene);
		}
		we_end(&scene, "sid1", JINGLE_CANCEL);
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

/* Its bytestream is closed, its <open/> refused, or one of its blocks. */
static void test_outgoing_stream_breaks(void **state)
{
	(void)state;
	for (enum out when = AGREED; when < CONFIRMING; when++) {
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		scene_peer_closes(&scene, PHONE, "sid1", false);
		assert_result(close, -ECANCELED);
		scene_sent(&scene, MSG_RESULT, PHONE);
		we_end(&scene, "sid1", JINGLE_CANCEL);
		scene_is_quiet(&scene);
		scene_finish(&scene);

		transfer_start(&scene, &format);
		close = take_to(&scene, when, &handle);
		scene_error(&scene, CONDITION_ITEM_NOT_FOUND);
		assert_result(close, when == AGREED ? -EPROTONOSUPPORT : -ECONNRESET);
		we_end(&scene, "sid1", JINGLE_FAILED_TRANSPORT);
		scene_is_quiet(&scene);
		scene_finish(&scene);
	}
}

static void test_outgoing_timeout(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = offered(&scene, handle, "sid1");
	scene_wait(&scene, SCENE_ANSWER_TIMEOUT - 1);
	assert_waits(close);
	scene_is_quiet(&scene);
	scene_wait(&scene, 1);
	assert_result(close, -ETIMEDOUT);
	we_end(&scene, "sid1", JINGLE_TIMEOUT);
	scene_is_quiet(&scene);
	scene_release(&scene, handle);
	assert_null(scene.account.offers.all);
	/* She accepts later. */
	struct metadata metadata = scene_session("f", 12, "sid1");
	metadata.action = JINGLE_SESSION_ACCEPT;
	scene_peer_says(&scene, PHONE, "sid1", &metadata);
	scene_refused(&scene, PHONE, CONDITION_ITEM_NOT_FOUND, DETAIL_UNKNOWN_SESSION);

	/* Even the request gets no answer. */
	handle = transfer_spool(&scene, "a@x/g");
	close = scene_offer(&scene, handle, TEXT, 12, NULL);
	scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE);
	scene_wait(&scene, SCENE_ANSWER_TIMEOUT);
	assert_result(close, -ETIMEDOUT);
	scene_finish(&scene);
}

static void test_outgoing_is_given_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * OUTS; i++) {
		enum out when = i % OUTS;
		bool removed = i >= OUTS;
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		if (removed) {
			assert_int_equal(scene_unlink(&scene, "a@x/f"), 0);
		} else {
			scene_interrupt(&scene, close);
		}
		if (removed && when == CONFIRMING) {
			assert_waits(close); /* it is all delivered */
			scene_finish(&scene);
			continue;
		}
		assert_result(close, removed ? -ECONNRESET : -EINTR);
		if (when >= AGREED && when < CONFIRMING) {
			scene_sent(&scene, MSG_CLOSE, PHONE);
			scene_result(&scene);
		}
		we_end(&scene, "sid1",
		       removed && when >= AGREED ? JINGLE_FAILED_TRANSPORT : JINGLE_CANCEL);
		scene_is_quiet(&scene);
		assert_forgotten(&scene, "sid1");
		scene_release(&scene, handle);
		assert_null(scene.account.offers.all);
		scene_finish(&scene);
	}
}

static void test_outgoing_breaks(void **state)
{
	(void)state;
	static const struct {
		enum transfer_break how;
		ssize_t results[OUTS];
		const char *confirming;
	} rows[] = {
		{PEER_GONE,
		 {-EHOSTDOWN, -EHOSTDOWN, -ECONNRESET, -ECONNRESET, -ECONNRESET},
		 "unconfirmed"},
		{DISCONNECTED,
		 {-ENETDOWN, -ENETDOWN, -ECONNRESET, -ECONNRESET, -ECONNRESET},
		 "unconfirmed"},
		{STOPPED, {-ECONNRESET, 0, 0, 0, 0}, "finished"},
		{ABANDONED,
		 {-ENETDOWN, -ENETDOWN, -ECONNRESET, -ECONNRESET, -ECONNRESET},
		 "unconfirmed"},
	};
	for (size_t i = 0; i < COUNT(rows) * OUTS; i++) {
		enum out when = i % OUTS;
		size_t row = i / OUTS;
		struct scene scene;
		struct handle *handle;
		transfer_start(&scene, &format);
		struct call *close = take_to(&scene, when, &handle);
		transfer_break(&scene, rows[row].how);
		if (rows[row].how == PEER_GONE) {
			scene_is_quiet(&scene);
		}
		if (rows[row].how == STOPPED && when == WAITING) {
			we_end(&scene, "sid1", JINGLE_CANCEL);
		} else if (rows[row].how == STOPPED) {
			if (when < CONFIRMING) {
				scene_result(&scene); /* it goes on */
			}
			scene_play(&scene);
			assert_waits(close);
			assert_false(shutdown_is_complete(&scene.account));
			ends(&scene, "sid1", JINGLE_SUCCESS);
		}
		assert_result(close, rows[row].results[when]);
		if (when == CONFIRMING) {
			assert_state(&scene, "a@x/f", rows[row].confirming);
		}
		if (row < 3) {
			scene_release(&scene, handle);
			scene_play(&scene);
			assert_true(shutdown_is_complete(&scene.account));
			assert_null(scene.account.offers.all);
		}
		scene_finish(&scene);
	}
}

/* She goes offline when everything is delivered, without an answer to <close/>. */
static void test_outgoing_peer_goes_at_the_end(void **state)
{
	(void)state;
	struct scene scene;
	struct handle *handle;
	transfer_start(&scene, &format);
	struct call *close = take_to(&scene, LEFT, &handle);
	scene_result(&scene);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	assert_waits(close);
	scene_goes(&scene, PHONE);
	assert_result(close, -ECONNRESET);
	assert_state(&scene, "a@x/f", "unconfirmed");
	scene_finish(&scene);
}

static void test_outgoing_empty(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = scene_offer(&scene, handle, "", 0, NULL);
	assert_int_equal(scene_jingle(&scene, JINGLE_SESSION_INITIATE, PHONE)->metadata->file.size,
			 0);
	scene_result(&scene);
	accepts(&scene, "sid1", "sid1", SCENE_BLOCK);
	scene_sent(&scene, MSG_OPEN, PHONE);
	scene_result(&scene);
	struct digest digest = transfer_digest(HASH_SHA_256, "");
	const struct msg *msg = scene_jingle(&scene, JINGLE_CHECKSUM, PHONE);
	assert_true(digest_equals(&msg->metadata->file.digest, &digest));
	scene_result(&scene);
	scene_sent(&scene, MSG_CLOSE, PHONE);
	scene_result(&scene);
	assert_waits(close);
	says(&scene, "sid1", JINGLE_RECEIVED);
	assert_result(close, 0);
	assert_state(&scene, "a@x/f", "finished");
	scene_finish(&scene);
}

/* A peer that may not open streams to us, and to which we offer a file. */
static void test_outgoing_to_a_stranger(void **state)
{
	(void)state;
	struct scene scene;
	scene_start(&scene, ACCEPT_NONE);
	scene.features = FEATURE_IBB | FEATURE_JINGLE;
	scene_contact(&scene, "a@x");
	scene_comes(&scene, PHONE, 0);
	struct handle *handle = transfer_spool(&scene, "a@x/f");
	struct call *close = offered(&scene, handle, "sid1");
	struct metadata metadata = scene_session("f", 12, "t");
	scene_peer_says(&scene, PHONE, "other", &metadata);
	scene_refused(&scene, PHONE, CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	scene_peer_says(&scene, "a@x/laptop", "sid1", &metadata);
	scene_refused(&scene, "a@x/laptop", CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	accepts(&scene, "sid1", "sid1", SCENE_BLOCK);
	scene_play(&scene);
	ends(&scene, "sid1", JINGLE_SUCCESS);
	assert_result(close, 0);
	says(&scene, "sid1", JINGLE_PING);
	scene_refused(&scene, PHONE, CONDITION_SERVICE_UNAVAILABLE, DETAIL_NONE);
	scene_finish(&scene);
}

static void test_several(void **state)
{
	(void)state;
	struct scene scene;
	transfer_start(&scene, &format);
	static const char *const paths[] = {"a@x/f", "a@x/g", "a@x/h"};
	struct handle *handles[3];
	struct call *closes[3];
	for (size_t i = 0; i < 3; i++) {
		char session[16];
		handles[i] = transfer_spool(&scene, paths[i]);
		snprintf(session, sizeof(session), "sid%zu", i + 1);
		closes[i] = offered(&scene, handles[i], session);
	}
	accepts(&scene, "sid3", "sid3", SCENE_BLOCK);
	scene_play(&scene);
	ends(&scene, "sid2", JINGLE_DECLINE);
	assert_result(closes[1], -ECONNREFUSED);
	assert_waits(closes[2]);
	ends(&scene, "sid3", JINGLE_SUCCESS);
	assert_result(closes[2], 0);
	assert_waits(closes[0]);
	scene_interrupt(&scene, closes[0]);
	we_end(&scene, "sid1", JINGLE_CANCEL);
	for (size_t i = 0; i < 3; i++) {
		scene_release(&scene, handles[i]);
	}
	assert_null(scene.account.offers.all);
	scene_finish(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_incoming),
		cmocka_unit_test(test_incoming_opened_early),
		cmocka_unit_test(test_incoming_digest),
		cmocka_unit_test(test_incoming_promised_digest),
		cmocka_unit_test(test_incoming_never_closed),
		cmocka_unit_test(test_incoming_closed),
		cmocka_unit_test(test_incoming_is_declined),
		cmocka_unit_test(test_incoming_ended_by_peer),
		cmocka_unit_test(test_incoming_ended_before_it_is_safe),
		cmocka_unit_test(test_incoming_content_removed),
		cmocka_unit_test(test_incoming_out_of_place),
		cmocka_unit_test(test_incoming_that_cannot_be),
		cmocka_unit_test(test_incoming_flood),
		cmocka_unit_test(test_incoming_while_stopping),
		cmocka_unit_test(test_incoming_accept_is_refused),
		cmocka_unit_test(test_incoming_breaks),
		cmocka_unit_test(test_outgoing),
		cmocka_unit_test(test_outgoing_block_size),
		cmocka_unit_test(test_outgoing_short_stanzas),
		cmocka_unit_test(test_outgoing_accepted_wrongly),
		cmocka_unit_test(test_outgoing_is_refused),
		cmocka_unit_test(test_outgoing_ended_by_peer),
		cmocka_unit_test(test_outgoing_received_early),
		cmocka_unit_test(test_outgoing_out_of_place),
		cmocka_unit_test(test_outgoing_content_removed),
		cmocka_unit_test(test_outgoing_stream_breaks),
		cmocka_unit_test(test_outgoing_timeout),
		cmocka_unit_test(test_outgoing_is_given_up),
		cmocka_unit_test(test_outgoing_breaks),
		cmocka_unit_test(test_outgoing_peer_goes_at_the_end),
		cmocka_unit_test(test_outgoing_empty),
		cmocka_unit_test(test_outgoing_to_a_stranger),
		cmocka_unit_test(test_several),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
