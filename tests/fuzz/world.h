/* SPDX-License-Identifier: MIT */
/*
 * world - two accounts, Alice's and Bob's, the path between them, and a model of the results.
 *
 * Between Alice and Bob stanzas keep their order, unless a fault is played; only answers may change
 * places with one another. Mallory may open streams to either and sends anything. Eve sends
 * anything too, but may not open streams. Their acts must never affect Alice and Bob: every session
 * of these two is compared with a model. Sessions of Mallory and Eve must only keep the limits.
 *
 * The model of a session, in each direction:
 *
 *     - reads return the written bytes, each once and in order, up to some offset;
 *     - between two ibbfs, an end in good order comes only after the last accepted byte;
 *     - when a flush or a synchronous write succeeds, the other side has every byte that was
 * written before its end;
 *     - a call is completed once; a call that must not wait is completed at once, and with -EAGAIN
 *       only if the stream said so;
 *     - without a fault everything arrives, and the session ends in good order;
 *     - a restart of a side that stores takes no byte away, and repeats none.
 *
 * Bytes are borrowed by the core for the call only: they are gone afterwards.
 *
 * Units:   bytes; ms of the world's clock.
 * Threads: none; one world at a time.
 */
#ifndef WORLD_H
#define WORLD_H

#include "core.h"

#define WORLD_TIMEOUT_MS   60000
#define WORLD_RECONNECT_MS 60000
#define WORLD_MOST_BYTES   70000		     /* of one write */
#define WORLD_BYTES	   ((size_t)256 * 1024)	     /* of all writes */
#define WORLD_FLOOD	   ((size_t)4 * 1024 * 1024) /* of all that Mallory sends */
#define WORLD_SESSIONS	   12
#define WORLD_SEGMENTS	   64
#define WORLD_LETTERS	   4096
#define WORLD_REMEMBERED   8

enum who {
	ALICE,
	BOB,
	MALLORY,
	EVE,
};

/* The bytes of one write, or a gap of zeros. */
struct segment {
	size_t length;
	uint8_t seed; /* of its bytes */
	bool is_zeros;
	enum {
		SEGMENT_WAITS,
		SEGMENT_TAKEN,
		SEGMENT_UNDONE, /* the write has failed without effect */
		SEGMENT_LOST,	/* the stream has ended: unknown */
	} state;
};

/* One direction of a session. */
struct pipe {
	struct segment segments[WORLD_SEGMENTS];
	unsigned length;
	unsigned at;   /* the reader's position: segment */
	size_t offset; /* and in it */
};

struct end {
	enum who who;
	struct stream *stream; /* NULL: not yet, or released */
	bool reads;
	bool dialled;
	struct pipe out;
	uint64_t received; /* the highest count of bytes that its stream had accepted */
	bool stores;	   /* what it reads goes into a file, with a journal: */
	uint64_t stored;   /* bytes */
	uint64_t blocks;
	bool awaits_sync; /* its peer asks that what is stored becomes durable */
	uint64_t synced;  /* bytes */
};

struct session {
	char sid[16];
	bool is_honest;	     /* between Alice and Bob */
	bool is_ibbfs;	     /* both know it of each other */
	bool is_messages;    /* STANZA_MESSAGE */
	bool is_ended;	     /* by one of its users */
	uint32_t block_size; /* world_restart */
	struct end ends[2];  /* who dialled; who was asked */
};

/* A call of a user's; freed on completion. */
struct call {
	struct op op; /* first */
	struct call *prev, *next;
	struct session *session;
	unsigned end;
	unsigned segment; /* of a write; of a flush: how many there were */
	bool is_sent;	  /* a synchronous write is interrupted that may have been sent */
};

struct letter {
	struct parcel *parcel; /* NULL: nothing */
	bool is_bounced;
	enum condition condition;
	enum error_type type;
};

struct world {
	struct core cores[2];
	int64_t now_ms;
	struct session sessions[WORLD_SESSIONS];
	unsigned sessions_length;
	unsigned sids, max_streams;
	struct call *calls;			 /* not completed */
	struct letter letters[2][WORLD_LETTERS]; /* by who sent them */
	unsigned heads[2], tails[2];
	size_t written, most_written, flooded;
	char remembered[2][WORLD_REMEMBERED][48]; /* ids that reached Mallory, by who sent them */
	unsigned remembered_length[2];
	unsigned answers_due[2]; /* to Eve, by whom */
	bool is_faulty; /* something was played after which a session may end in an error */
	bool is_forged; /* after which the bytes are undefined */
};

extern const char *const world_jids[4];

struct world *world_create(const struct stream_config *alice, const struct stream_config *bob,
			   unsigned max_streams);

/* Plays everything to its end, and checks that it is one. */
void world_destroy(struct world *world);

/* ---- users; NULL: there is no such session, or no room ---- */

struct session *world_open(struct world *world, enum who from, enum who to, bool is_ibbfs,
			   bool reads);
void world_dial(struct world *world, struct session *session);

/* `end` of a session that has a stream. */
void world_call(struct world *world, struct session *session, unsigned end, enum op_kind kind,
		size_t size, bool nonblock);
void world_zeros(struct world *world, struct session *session, unsigned end, size_t length);
void world_push(struct world *world, struct session *session, unsigned end);
void world_release(struct world *world, struct session *session, unsigned end, bool good_order);
void world_abort(struct world *world, struct session *session, unsigned end);
void world_await(struct world *world, struct session *session, unsigned end);

/* From now on, what comes goes into a file: the next read says that what was read is there. */
void world_store(struct world *world, struct session *session, unsigned end);

/* The process of `who` is killed, and another one begins. It knows the streams that store. */
void world_restart(struct world *world, enum who who);

/* The n-th call that waits, counted round. */
void world_interrupt(struct world *world, unsigned n);

/* ---- the way ---- */

/* Sends the next stanza of `from`; false: there is none. */
bool world_pump(struct world *world, enum who from);

/* Delivers the oldest letter of Alice or Bob; false: there is none. */
bool world_deliver(struct world *world, enum who from);

/* Sends and delivers until no stanza is left. */
void world_run(struct world *world);

/* Moves the n-th of the answers that precede any request to the front. */
void world_reorder(struct world *world, enum who from, unsigned n);

void world_duplicate(struct world *world, enum who from);
void world_drop(struct world *world, enum who from);

/* A server sends the oldest letter back, if it is a request. */
void world_bounce(struct world *world, enum who from, enum condition condition,
		  enum error_type type);

void world_disconnect(struct world *world, enum who who);
void world_connect(struct world *world, enum who who);
void world_peer_gone(struct world *world, enum who who, enum who peer);
void world_pass(struct world *world, int64_t ms);

/* Advances the clock to the next deadline. */
void world_pass_deadline(struct world *world);

/* ---- strangers ---- */

/* `msg` comes to Alice or Bob, in the name of `from`. */
void world_forge(struct world *world, enum who from, enum who to, const struct msg *msg);

#endif
