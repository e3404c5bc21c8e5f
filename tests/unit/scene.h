/* SPDX-License-Identifier: MIT */
/*
 * scene - an account without a network: the test plays its server and its peers.
 *
 * After each step the completed calls are taken, as the hub does it. Each time it is checked that
 * no call is completed twice, and at the end that every call was completed.
 *
 * Units:   ms of the scene's own clock.
 * Threads: none.
 */
#ifndef SCENE_H
#define SCENE_H

#include "account/account.h"
#include "account/attribute.h"
#include "account/dispatch.h"
#include "account/file.h"
#include "account/poll.h"
#include "account/release.h"
#include "account/shutdown.h"
#include "account/spool_file.h"
#include "account/timer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCENE_ME	     "me@home.example/ibbfs"
#define SCENE_BLOCK	     8	/* bytes; of either side */
#define SCENE_WINDOW	     16 /* bytes */
#define SCENE_BUFFER	     32 /* bytes */
#define SCENE_STREAMS	     8
#define SCENE_TIMEOUT	     60000
#define SCENE_ANSWER_TIMEOUT 300000
#define SCENE_UPLOADS	     32
#define SCENE_PIECE	     5 /* bytes of a file that is fed to a stream */

/* A call of a user's. */
struct call {
	struct op op; /* first */
	unsigned completed;
};

/* Gives the peer of an offer its bytes, as an upload (mount/disk/upload.c) does. */
struct upload {
	struct call call; /* first */
	uint64_t number;
	const char *bytes;
	size_t length, offset;
	bool started, told, over;
};

struct scene {
	struct account account;
	int64_t now_ms;
	struct call calls[128];
	size_t calls_length;
	struct upload uploads[SCENE_UPLOADS];
	size_t uploads_length;
	unsigned last_id, last_sid;
	struct msg *sent;   /* the last result of scene_next */
	unsigned features;  /* of every peer that scene_play plays */
	uint64_t delivered; /* bytes that scene_play has acknowledged */
	char text[1024];    /* they */
	char value[ATTRIBUTE_MAX_BYTES + 1];
};

/* -ENOMEM, and there is no scene. */
int scene_try_start(struct scene *scene, enum access accept);

/* Our account is online, its roster empty. */
void scene_start(struct scene *scene, enum access accept);

/* Abandons the account; every call must then be completed. */
void scene_finish(struct scene *scene);

/* Takes the completed calls. Call it after each call into the account that is not made by the
 * functions below. */
void scene_settle(struct scene *scene);

/* Lets time pass; the account is called at its deadlines. */
void scene_wait(struct scene *scene, int64_t ms);

/* ---- what is seen ---- */

/* The node at a path below the root; NULL if there is none. */
struct node *scene_find(const struct scene *scene, const char *path);

/* The value of user.ibb.NAME, valid until the next call. */
const char *scene_attribute(struct scene *scene, const char *path, const char *name);

#define assert_state(scene, path, expected) \
	assert_string_equal(scene_attribute(scene, path, "state"), expected)

#define assert_exists(scene, path) assert_non_null(scene_find(scene, path))
#define assert_no(scene, path)	   assert_null(scene_find(scene, path))

/* The names in the directory at `path` that are not always there, in order, each with a space
 * after it. */
void scene_check_names(const struct scene *scene, const char *path, const char *expected,
		       const char *file, int line);

#define assert_names(scene, path, expected) \
	scene_check_names(scene, path, expected, __FILE__, __LINE__)

/* st_size of the file at `path`. */
uint64_t scene_size(const struct scene *scene, const char *path);

/* ---- the server ---- */

void scene_contact(struct scene *scene, const char *jid);
void scene_comes(struct scene *scene, const char *jid, int priority);
void scene_goes(struct scene *scene, const char *jid);
void scene_removed(struct scene *scene, const char *jid);

/* The connection breaks for good. */
void scene_offline(struct scene *scene);

/* A new connection, with a@x on the roster only. */
void scene_online(struct scene *scene);

#define SCENE_PHONE "a@x/phone"

/* scene_start, with a@x on the roster and her phone, an ibbfs, online. */
void scene_start_with_phone(struct scene *scene);

/* A stream of her phone is unopened in in/, under its name. */
void scene_arrives(struct scene *scene, const char *sid, const char *name);

/* ---- the wire ---- */

/* The next stanza that is sent, valid until the next call of this; NULL if there is none. */
const struct msg *scene_next(struct scene *scene);

/* The next one, which must be this. */
const struct msg *scene_sent(struct scene *scene, enum msg_kind kind, const char *peer);

/* Nothing is sent; the last result of scene_next stays valid. */
void scene_is_quiet(struct scene *scene);

void scene_receive(struct scene *scene, const struct msg *msg);

/* Answers to the last result of scene_next. */
void scene_result(struct scene *scene);
void scene_says(struct scene *scene, unsigned features);
void scene_error(struct scene *scene, enum condition condition);

/* The next one, which must be that error. */
void scene_refused(struct scene *scene, const char *peer, enum condition condition,
		   enum detail detail);

/* The next one, which must be that action of Jingle. */
const struct msg *scene_jingle(struct scene *scene, enum jingle_action action, const char *peer);

/* Answers all that is sent, as peers with scene->features do, until nothing is sent any more; they
 * accept every offer. */
void scene_play(struct scene *scene);

/* Requests of a peer; their answers are left in the queue. `name` may be NULL. */
void scene_peer_opens(struct scene *scene, const char *peer, const char *sid, const char *name);
void scene_peer_sends(struct scene *scene, const char *peer, const char *sid, unsigned seq,
		      const char *text);
void scene_peer_closes(struct scene *scene, const char *peer, const char *sid, bool reset);

/* Likewise: <si/>, and <jingle/>, with `metadata`. */
void scene_peer_offers(struct scene *scene, const char *peer, const char *id,
		       const struct metadata *metadata);
void scene_peer_says(struct scene *scene, const char *peer, const char *session,
		     const struct metadata *metadata);

/* The metadata of a file: its name and size. */
struct metadata scene_file(const char *name, int64_t size);

/* The metadata of a session that offers a file, for a bytestream `sid`. */
struct metadata scene_session(const char *name, int64_t size, const char *sid);

/* <open/> of a stream that we have accepted: without a name, with blocks of any size. */
void scene_peer_begins(struct scene *scene, const char *peer, const char *sid, uint32_t block_size);

/* Accepts the offer that scene_next returned last, an <si/>. */
void scene_accept(struct scene *scene);

/* ---- the users ---- */

/* Opens the file at `path`, which mknod makes if there is none; NULL when that fails. */
struct call *scene_open(struct scene *scene, const char *path, int flags);
struct call *scene_read(struct scene *scene, struct handle *handle, size_t size);
struct call *scene_poll(struct scene *scene, struct handle *handle, size_t size); /* O_NONBLOCK */
struct call *scene_write(struct scene *scene, struct handle *handle, const char *text,
			 uint64_t offset);
struct call *scene_write_sync(struct scene *scene, struct handle *handle, const char *text,
			      uint64_t offset); /* O_DSYNC */
struct call *scene_flush(struct scene *scene, struct handle *handle);
struct call *scene_sync(struct scene *scene, struct handle *handle); /* fsync */
struct call *scene_flush_shared(struct scene *scene, struct handle *handle);
struct call *scene_killed(struct scene *scene, struct handle *handle); /* its flush */
void scene_release(struct scene *scene, struct handle *handle);

/* As the last close of a file that is spooled: `length` bytes were written to it. They go to the
 * peer once it has accepted. `md5` may be NULL. */
struct call *scene_offer(struct scene *scene, struct handle *handle, const char *bytes,
			 size_t length, const struct digest *md5);

/* As its release, if no close has offered it. */
void scene_leave(struct scene *scene, struct handle *handle, const char *bytes, size_t length);

/* A signal ends the wait of a call. */
void scene_interrupt(struct scene *scene, struct call *call);
int scene_unlink(struct scene *scene, const char *path);
int scene_mkdir(struct scene *scene, const char *path);
int scene_rmdir(struct scene *scene, const char *path);

/* scene_open, with all answers; it must succeed. */
struct handle *scene_opened(struct scene *scene, const char *path, int flags);

/* The handle of an open that succeeded. */
struct handle *call_handle(const struct call *call);

bool call_is_done(const struct call *call);

#define assert_waits(call) assert_false(call_is_done(call))

#define assert_result(call, expected) call_check(call, expected, NULL, __FILE__, __LINE__)

/* A read that returned this. */
#define assert_text(call, expected) \
	call_check(call, sizeof(expected) - 1, expected, __FILE__, __LINE__)

/* The call is done with that result, and that many bytes of `data` unless it is NULL. */
void call_check(const struct call *call, ssize_t result, const char *data, const char *file,
		int line);

#endif
