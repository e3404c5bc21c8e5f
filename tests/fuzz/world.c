/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <string.h>
#include <utlist.h>

/* A message in flight; it is one even if it is in flight twice. */
struct parcel {
	struct msg *msg;
	unsigned letters;
};

const char *const world_jids[4] = {
	[ALICE] = "alice@example.org/a",
	[BOB] = "bob@example.org/b",
	[MALLORY] = "mallory@example.org/m",
	[EVE] = "eve@example.org/e",
};

/* The fuzzer lets allocations of the core fail, never the world's own (linked with --wrap, see
 * failing_malloc.h). */
void *__real_malloc(size_t size);

static void *allocate(size_t size)
{
	void *memory = __real_malloc(size > 0 ? size : 1);
	FUZZ_CHECK(memory != NULL);
	return memory;
}

static struct core *core_of(struct world *world, enum who who)
{
	return &world->cores[who];
}

/* ---- the bytes of a direction ---- */

static uint8_t byte_of(const struct segment *segment, size_t place)
{
	return segment->is_zeros ? 0 : (uint8_t)(segment->seed + place * 31 + (place >> 8) * 7);
}

/* Moves the reader to the next segment with bytes; false: there is none. */
static bool find_next(struct pipe *pipe)
{
	while (pipe->at < pipe->length) {
		const struct segment *segment = &pipe->segments[pipe->at];
		if (segment->state != SEGMENT_UNDONE && pipe->offset < segment->length) {
			return true;
		}
		FUZZ_CHECK(segment->state != SEGMENT_UNDONE || pipe->offset == 0);
		pipe->at++;
		pipe->offset = 0;
	}
	return false;
}

static void check_bytes(struct pipe *pipe, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		FUZZ_CHECK(find_next(pipe));
		FUZZ_CHECK(bytes[i] == byte_of(&pipe->segments[pipe->at], pipe->offset));
		pipe->offset++;
	}
}

/* Whether all accepted bytes were read. */
static bool is_read(struct pipe *pipe)
{
	for (unsigned i = find_next(pipe) ? pipe->at : pipe->length; i < pipe->length; i++) {
		if (pipe->segments[i].state == SEGMENT_TAKEN ||
		    pipe->segments[i].state == SEGMENT_WAITS) {
			return false;
		}
	}
	return true;
}

static uint64_t count_taken(const struct pipe *pipe, unsigned segments)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < segments; i++) {
		count += pipe->segments[i].state == SEGMENT_TAKEN ? pipe->segments[i].length : 0;
	}
	return count;
}

/* ---- calls that are completed ---- */

static bool is_modelled(const struct world *world, const struct session *session)
{
	return session->is_honest && !world->is_forged;
}

static void complete_write(struct call *call)
{
	const struct end *end = &call->session->ends[call->end];
	struct pipe *pipe = &call->session->ends[call->end].out;
	struct segment *segment = &pipe->segments[call->segment];
	ssize_t result = call->op.result;
	/* Else it is the error of a stream that has ended. */
	bool is_own_error = end->stream && !stream_is_over(end->stream);
	FUZZ_CHECK(segment->state == SEGMENT_WAITS);
	if (result >= 0) {
		FUZZ_CHECK((size_t)result == call->op.size);
		segment->state = SEGMENT_TAKEN;
	} else if (!call->is_sent &&
		   (result == -EAGAIN || result == -EINTR || (result == -ENOMEM && is_own_error))) {
		FUZZ_CHECK(pipe->at < call->segment ||
			   (pipe->at == call->segment && pipe->offset == 0));
		segment->state = SEGMENT_UNDONE;
	} else {
		segment->state = SEGMENT_LOST;
	}
}

static void complete_read(struct world *world, struct call *call)
{
	struct session *session = call->session;
	struct pipe *pipe = &session->ends[!call->end].out;
	ssize_t result = call->op.result;
	FUZZ_CHECK(result <= 0 || ((size_t)result <= call->op.size && call->op.data));
	struct end *end = &session->ends[call->end];
	if (result > 0 && end->stores) {
		end->stored += (uint64_t)result;
		end->blocks = call->op.end;
	}
	end->awaits_sync = end->awaits_sync || result == STREAM_SYNC;
	if (!is_modelled(world, session)) {
		return;
	}
	if (result > 0) {
		check_bytes(pipe, call->op.data, (size_t)result);
	} else if (result == 0 && session->is_ibbfs) {
		FUZZ_CHECK(is_read(pipe));
	}
}

/* The first `segments` that the end has written are at the other one. */
static void check_delivered(const struct world *world, const struct call *call, unsigned segments)
{
	const struct session *session = call->session;
	/* A peer that is no ibbfs can only be pinged. It answers after its connection broke and
	 * came back, but the messages that were in flight are lost. */
	bool can_know = session->is_ibbfs || !session->is_messages || !world->is_faulty;
	if (can_know && is_modelled(world, session)) {
		uint64_t taken = count_taken(&session->ends[call->end].out, segments);
		FUZZ_CHECK(session->ends[!call->end].received >= taken);
		/* A good end by the receiver, of which no inbox is capable, ends flushes as well.
		 */
		bool syncs = session->is_ibbfs && session->ends[1].stores && !session->is_ended;
		FUZZ_CHECK(call->end == 1 || !syncs || session->ends[1].synced >= taken);
	}
}

static void complete_flush(const struct world *world, const struct call *call)
{
	if (call->op.result == 0) {
		check_delivered(world, call, call->segment);
	}
	FUZZ_CHECK(call->op.result <= 0);
}

static void complete(struct world *world, struct call *call)
{
	struct call *known;
	FUZZ_CHECK(call->op.list == NULL);
	FUZZ_CHECK(call->op.result >= -4095);
	DL_FOREACH (world->calls, known) {
		if (known == call) {
			break;
		}
	}
	FUZZ_CHECK(known == call); /* else it was completed before */
	DL_DELETE(world->calls, call);
	switch (call->op.kind) {
	case OP_WRITE:
		complete_write(call);
		break;
	case OP_WRITE_SYNC:
		complete_write(call);
		if (call->op.result >= 0) {
			check_delivered(world, call, call->segment + 1);
		}
		break;
	case OP_READ:
		complete_read(world, call);
		break;
	case OP_FLUSH:
		complete_flush(world, call);
		break;
	default:
		FUZZ_CHECK(call->op.result <= 0);
	}
	op_finish(&call->op);
	free(call);
}

/* ---- after every step ---- */

static struct session *find_session(struct world *world, enum who from, enum who to,
				    const char *sid)
{
	for (unsigned i = 0; i < world->sessions_length; i++) {
		struct session *session = &world->sessions[i];
		if (session->ends[0].who == from && session->ends[1].who == to &&
		    strcmp(session->sid, sid) == 0) {
			return session;
		}
	}
	return NULL;
}

static enum who who_is(const char *jid)
{
	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(jid, world_jids[i]) == 0) {
			return (enum who)i;
		}
	}
	fuzz_fail(__FILE__, __LINE__, __func__, "an address that somebody has");
}

static struct session *add_session(struct world *world, enum who from, enum who to, const char *sid)
{
	struct session *session = &world->sessions[world->sessions_length++];
	FUZZ_CHECK(world->sessions_length <= WORLD_SESSIONS);
	memset(session, 0, sizeof(*session));
	snprintf(session->sid, sizeof(session->sid), "%s", sid);
	session->is_honest = from <= BOB && to <= BOB;
	session->ends[0].who = from;
	session->ends[1].who = to;
	return session;
}

/* Whether a session has that sid, or had it before another one took its place (stream_reopen). */
static bool has_sid(const struct session *session, const char *sid)
{
	size_t length = strlen(session->sid);
	return strncmp(session->sid, sid, length) == 0 &&
	       (sid[length] == '\0' || sid[length] == '-');
}

/* Another session takes the place of one between Alice and Bob: `stream` gets every byte again, and
 * those that were written to the one before are lost. False: there is none. */
static bool arrive_again(struct world *world, enum who from, enum who to, struct stream *stream)
{
	struct session *session = NULL;
	for (unsigned i = 0; i < world->sessions_length && !session; i++) {
		struct session *known = &world->sessions[i];
		if (known->ends[0].who == from && known->ends[1].who == to &&
		    has_sid(known, stream->sid)) {
			session = known;
		}
	}
	if (!session || from > BOB) {
		return false;
	}
	struct end *end = &session->ends[1];
	if (end->stream) {
		core_release(core_of(world, to), end->stream, false, world->now_ms);
	}
	end->stream = stream;
	end->reads = true;
	end->received = 0;
	end->stores = false;
	end->awaits_sync = false;
	session->ends[0].out.at = 0;
	session->ends[0].out.offset = 0;
	end->out.at = end->out.length;
	end->out.offset = 0;
	return true;
}

/* A stream that was opened to `to`. */
static void arrive(struct world *world, enum who to, struct stream *stream)
{
	enum who from = who_is(stream->peer);
	FUZZ_CHECK(from != EVE && core_is_arrived(stream));
	struct session *session = find_session(world, from, to, stream->sid);
	if (!session && arrive_again(world, from, to, stream)) {
		return;
	}
	bool is_known = session && !session->ends[1].stream && !session->ends[1].reads;
	if (from == MALLORY || !is_known) {
		/* Mallory's; or forged, or opened a second time in the other's name; or
		 * retransmitted after a connection broke, to a side that has ended it meanwhile. */
		bool resumes = core_of(world, to)->ibb.config.reconnect_ms > 0;
		FUZZ_CHECK(from == MALLORY || world->is_forged || (session && resumes));
		if (session) {
			session->is_honest = false;
		}
		if (world->sessions_length == WORLD_SESSIONS) {
			core_release(core_of(world, to), stream, false, world->now_ms);
			return;
		}
		session = add_session(world, from, to, stream->sid);
		session->is_honest = false;
	}
	session->ends[1].stream = stream;
	session->ends[1].reads = true;
	session->ends[1].stores = false;
}

static void settle(struct world *world, enum who who)
{
	struct core *core = core_of(world, who);
	struct stream *stream;
	while ((stream = core_take_arrived(core))) {
		arrive(world, who, stream);
	}
	for (unsigned i = 0; i < 2 * world->sessions_length; i++) {
		struct end *end = &world->sessions[i / 2].ends[i % 2];
		if (end->who == who && end->stream) {
			uint64_t received = core_received(end->stream);
			FUZZ_CHECK(received >= end->received);
			end->received = received;
		}
	}
	struct op *done = core_take_done(core), *op, *next;
	DL_FOREACH_SAFE (done, op, next) {
		complete(world, (struct call *)op);
	}
	core_check(core, WORLD_MOST_BYTES);
}

/* ---- users ---- */

static bool is_waiting(const struct world *world, const struct session *session, unsigned end,
		       enum op_kind kind)
{
	const struct call *call;
	DL_FOREACH (world->calls, call) {
		if (call->session == session && call->end == end && call->op.kind == kind) {
			return true;
		}
	}
	return false;
}

struct session *world_open(struct world *world, enum who from, enum who to, bool is_ibbfs,
			   bool reads)
{
	if (world->sessions_length == WORLD_SESSIONS) {
		return NULL;
	}
	char sid[16];
	snprintf(sid, sizeof(sid), "s%u", world->sids++);
	struct stream *stream = core_create(core_of(world, from), sid);
	if (!stream) {
		return NULL;
	}
	struct session *session = add_session(world, from, to, sid);
	session->is_ibbfs = is_ibbfs;
	session->ends[0].stream = stream;
	session->ends[0].reads = reads;
	core_set_reading(stream, reads);
	session->is_messages = core_of(world, from)->ibb.config.stanza == STANZA_MESSAGE;
	settle(world, from);
	return session;
}

#define IBBFS_FEATURES (FEATURE_IBBFS | FEATURE_RESUME | FEATURE_SYNC)

void world_dial(struct world *world, struct session *session)
{
	struct end *end = &session->ends[0];
	if (!end->stream || end->dialled || end->who > BOB || !core_is_new(end->stream)) {
		return;
	}
	end->dialled = true;
	/* The side that is opened to recognises an ibbfs by the name. */
	unsigned features = FEATURE_IBB | (session->is_ibbfs ? IBBFS_FEATURES : 0U);
	int error =
		core_dial(core_of(world, end->who), end->stream, world_jids[session->ends[1].who],
			  features, session->is_ibbfs ? "name" : NULL, world->now_ms);
	FUZZ_CHECK(error == 0 || (error == -ENOMEM && world->is_faulty));
	settle(world, end->who);
}

static struct segment *add_segment(struct world *world, struct pipe *pipe, size_t length)
{
	struct segment *segment = &pipe->segments[pipe->length++];
	world->written += length;
	*segment = (struct segment){.length = length, .seed = (uint8_t)(world->written * 37 + 11)};
	return segment;
}

static bool is_write(enum op_kind kind)
{
	return kind == OP_WRITE || kind == OP_WRITE_SYNC;
}

static bool has_room(const struct world *world, const struct pipe *pipe, size_t length)
{
	return length > 0 && length <= WORLD_MOST_BYTES && pipe->length < WORLD_SEGMENTS &&
	       world->written + length <= world->most_written;
}

/* Nobody writes to a stream that is stored: its name is that of the file. */
static bool can_write(const struct world *world, const struct end *end, size_t length)
{
	return end->stream && !end->stores && has_room(world, &end->out, length);
}

void world_call(struct world *world, struct session *session, unsigned end, enum op_kind kind,
		size_t size, bool nonblock)
{
	struct end *at = &session->ends[end];
	if (!at->stream || (kind == OP_READ && (!at->reads || size == 0)) ||
	    (is_write(kind) && !can_write(world, at, size))) {
		return;
	}
	if (kind == OP_READ && at->stores) {
		if (is_waiting(world, session, end, OP_READ)) {
			return;
		}
		core_commit(at->stream);
		if (at->awaits_sync) {
			core_sync(at->stream);
			at->synced = at->stored;
			at->awaits_sync = false;
		}
		size = WORLD_MOST_BYTES; /* a block at least */
	}
	struct call *call = allocate(sizeof(*call));
	*call = (struct call){.session = session, .end = end, .segment = at->out.length};
	op_init(&call->op, kind, (uint64_t)(uintptr_t)call, size, nonblock);
	DL_APPEND(world->calls, call);
	uint8_t *bytes = NULL;
	if (is_write(kind)) {
		const struct segment *segment = add_segment(world, &at->out, size);
		bytes = allocate(size);
		for (size_t i = 0; i < size; i++) {
			bytes[i] = byte_of(segment, i);
		}
	}
	bool is_ready = kind == OP_READ	 ? stream_can_read(at->stream)
			: is_write(kind) ? stream_can_write(at->stream)
					 : true;
	core_submit(at->stream, &call->op, bytes, world->now_ms);
	free(bytes);
	if (nonblock && (kind == OP_READ || is_write(kind))) {
		FUZZ_CHECK(call->op.list == NULL || kind == OP_WRITE_SYNC);
		FUZZ_CHECK(is_ready == (call->op.result != -EAGAIN));
	}
	settle(world, at->who);
}

void world_zeros(struct world *world, struct session *session, unsigned end, size_t length)
{
	struct end *at = &session->ends[end];
	if (!can_write(world, at, length)) {
		return;
	}
	/* The file system asks for zeros only while no other write waits. */
	for (unsigned i = 0; i < at->out.length; i++) {
		if (at->out.segments[i].state == SEGMENT_WAITS) {
			return;
		}
	}
	struct segment *segment = add_segment(world, &at->out, length);
	segment->is_zeros = true;
	int error = core_zeros(at->stream, length, world->now_ms);
	FUZZ_CHECK(error <= 0);
	segment->state = error ? SEGMENT_LOST : SEGMENT_TAKEN;
	settle(world, at->who);
}

void world_push(struct world *world, struct session *session, unsigned end)
{
	if (session->ends[end].stream) {
		core_push(session->ends[end].stream);
		settle(world, session->ends[end].who);
	}
}

void world_release(struct world *world, struct session *session, unsigned end, bool good_order)
{
	struct end *at = &session->ends[end];
	struct stream *stream = at->stream;
	/* The kernel releases no file while a call writes to it. */
	if (stream && !is_waiting(world, session, end, OP_WRITE_SYNC)) {
		session->is_ended = true;
		at->stream = NULL;
		core_release(core_of(world, at->who), stream, good_order, world->now_ms);
		settle(world, at->who);
	}
}

void world_abort(struct world *world, struct session *session, unsigned end)
{
	struct end *at = &session->ends[end];
	if (at->stream) {
		session->is_ended = true;
		core_abort(core_of(world, at->who), at->stream);
		settle(world, at->who);
	}
}

void world_await(struct world *world, struct session *session, unsigned end)
{
	/* Only before there is an answer to wait for. */
	struct end *at = &session->ends[end];
	if (at->stream && end == 0 && !at->dialled) {
		core_await(at->stream, world->now_ms);
		settle(world, at->who);
	}
}

void world_store(struct world *world, struct session *session, unsigned end)
{
	struct end *at = &session->ends[end];
	if (at->stream && end == 1 && !at->stores && at->out.length == 0 &&
	    !is_waiting(world, session, end, OP_READ)) {
		at->stores = core_store(at->stream);
		settle(world, at->who);
	}
}

void world_interrupt(struct world *world, unsigned n)
{
	struct call *call;
	unsigned count = 0;
	DL_COUNT(world->calls, call, count);
	if (count == 0) {
		return;
	}
	call = world->calls;
	for (n %= count; n > 0; n--) {
		call = call->next;
	}
	struct session *session = call->session;
	struct end *at = &session->ends[call->end];
	bool is_sent = call->op.kind == OP_WRITE_SYNC && core_is_queued(at->stream, &call->op);
	call->is_sent = is_sent;
	core_interrupt(core_of(world, at->who), &call->op);
	if (is_sent) { /* as the file system does */
		session->is_ended = true;
		core_abort(core_of(world, at->who), at->stream);
	}
	settle(world, at->who);
}

/* ---- the way ---- */

static void put_letter(struct world *world, enum who from, struct letter letter)
{
	FUZZ_CHECK(world->tails[from] - world->heads[from] < WORLD_LETTERS);
	world->letters[from][world->tails[from]++ % WORLD_LETTERS] = letter;
	letter.parcel->letters++;
}

static bool has_letter(const struct world *world, enum who from)
{
	return world->heads[from] != world->tails[from];
}

static struct letter *first_letter(struct world *world, enum who from)
{
	return &world->letters[from][world->heads[from] % WORLD_LETTERS];
}

static void release_parcel(struct parcel *parcel)
{
	if (--parcel->letters == 0) {
		msg_destroy(parcel->msg);
		free(parcel);
	}
}

static bool is_answer(const struct msg *msg)
{
	return msg->kind == MSG_RESULT || msg->kind == MSG_ERROR;
}

/* A stanza that reaches a stranger. */
static void reach_stranger(struct world *world, enum who from, const struct msg *msg)
{
	if (strcmp(msg->peer, world_jids[EVE]) == 0) {
		/* One answer to one request, as of a peer that is offline. */
		FUZZ_CHECK(msg->kind == MSG_ERROR);
		FUZZ_CHECK(msg->condition == CONDITION_SERVICE_UNAVAILABLE);
		FUZZ_CHECK(world->answers_due[from]-- > 0);
		return;
	}
	FUZZ_CHECK(strcmp(msg->peer, world_jids[MALLORY]) == 0);
	if (!is_answer(msg)) {
		unsigned place = world->remembered_length[from]++ % WORLD_REMEMBERED;
		char *room = world->remembered[from][place];
		FUZZ_CHECK(strlen(msg->id) < sizeof(world->remembered[from][place]));
		strcpy(room, msg->id);
	}
}

bool world_pump(struct world *world, enum who from)
{
	if (world->tails[from] - world->heads[from] >= WORLD_LETTERS - 1) {
		return false;
	}
	struct msg *msg = core_next(core_of(world, from), world->now_ms);
	settle(world, from);
	if (!msg) {
		return false;
	}
	FUZZ_CHECK(msg->peer && msg->id && msg->kind != MSG_UNKNOWN && msg->kind != MSG_BOUNCE);
	FUZZ_CHECK(msg->kind != MSG_DATA ||
		   (msg->data_length >= 1 && msg->data_length <= STREAM_MAX_BLOCK));
	if (strcmp(msg->peer, world_jids[!from]) != 0) {
		reach_stranger(world, from, msg);
		msg_destroy(msg);
		return true;
	}
	struct parcel *parcel = allocate(sizeof(*parcel));
	*parcel = (struct parcel){.msg = msg};
	put_letter(world, from, (struct letter){.parcel = parcel});
	return true;
}

bool world_deliver(struct world *world, enum who from)
{
	if (!has_letter(world, from)) {
		return false;
	}
	struct letter letter = *first_letter(world, from);
	world->heads[from]++;
	struct msg msg = *letter.parcel->msg;
	msg.prev = msg.next = NULL;
	msg.peer = world_jids[from];
	if (letter.is_bounced) {
		bool is_message = msg.kind == MSG_DATA && msg.stanza == STANZA_MESSAGE;
		msg.kind = is_message ? MSG_BOUNCE : MSG_ERROR;
		msg.data = NULL;
		msg.data_length = 0;
		msg.condition = letter.condition;
		msg.error_type = letter.type;
	}
	core_receive(core_of(world, !from), &msg, true, world->now_ms);
	release_parcel(letter.parcel);
	settle(world, !from);
	return true;
}

void world_run(struct world *world)
{
	bool moved = true;
	for (unsigned i = 0; moved && i < 100000; i++) {
		moved = false;
		for (enum who who = ALICE; who <= BOB; who++) {
			moved |= world_pump(world, who);
			moved |= world_deliver(world, who);
		}
	}
	FUZZ_CHECK(!moved); /* or they talk for ever */
}

void world_reorder(struct world *world, enum who from, unsigned n)
{
	unsigned count = 0;
	while (world->heads[from] + count != world->tails[from]) {
		const struct letter *letter =
			&world->letters[from][(world->heads[from] + count) % WORLD_LETTERS];
		if (!letter->is_bounced && !is_answer(letter->parcel->msg)) {
			break;
		}
		count++;
	}
	if (count > 1) {
		unsigned place = (world->heads[from] + n % count) % WORLD_LETTERS;
		struct letter first = *first_letter(world, from);
		*first_letter(world, from) = world->letters[from][place];
		world->letters[from][place] = first;
	}
}

void world_duplicate(struct world *world, enum who from)
{
	if (!has_letter(world, from)) {
		return;
	}
	struct letter letter = *first_letter(world, from);
	/* A second <open/> is a second stream, once the first is over. */
	bool is_open = letter.parcel->msg->kind == MSG_OPEN && !letter.is_bounced;
	if (!is_open && world->tails[from] - world->heads[from] < WORLD_LETTERS - 1) {
		/* In front: it arrives twice in a row. */
		world->is_faulty = true;
		world->heads[from]--;
		*first_letter(world, from) = letter;
		letter.parcel->letters++;
	}
}

static bool is_of_messages(const struct world *world, const struct msg *msg)
{
	for (unsigned i = 0; msg->sid && i < world->sessions_length; i++) {
		if (has_sid(&world->sessions[i], msg->sid)) {
			return world->sessions[i].is_messages;
		}
	}
	return false;
}

void world_drop(struct world *world, enum who from)
{
	if (!has_letter(world, from)) {
		return;
	}
	world->is_faulty = true;
	struct letter letter = *first_letter(world, from);
	/* With messages, delivery depends on RFC 6120 section 10.1: a later stanza confirms that
	 * the block, or the <close/>, before it has arrived. */
	if (is_of_messages(world, letter.parcel->msg)) {
		world->is_forged = true;
	}
	world->heads[from]++;
	release_parcel(letter.parcel);
}

void world_bounce(struct world *world, enum who from, enum condition condition,
		  enum error_type type)
{
	if (!has_letter(world, from) || first_letter(world, from)->is_bounced ||
	    is_answer(first_letter(world, from)->parcel->msg) ||
	    world->tails[!from] - world->heads[!from] >= WORLD_LETTERS - 1) {
		return;
	}
	world->is_faulty = true;
	struct letter letter = *first_letter(world, from);
	world->heads[from]++;
	letter.is_bounced = true;
	letter.condition = condition;
	letter.type = type;
	put_letter(world, !from, letter);
	release_parcel(letter.parcel);
}

static void lose_letters(struct world *world)
{
	for (enum who from = ALICE; from <= BOB; from++) {
		for (; has_letter(world, from); world->heads[from]++) {
			release_parcel(first_letter(world, from)->parcel);
		}
	}
}

void world_disconnect(struct world *world, enum who who)
{
	world->is_faulty = true;
	lose_letters(world);
	core_disconnect(core_of(world, who), world->now_ms);
	settle(world, who);
}

void world_connect(struct world *world, enum who who)
{
	core_connect(core_of(world, who), world->now_ms);
	settle(world, who);
}

void world_peer_gone(struct world *world, enum who who, enum who peer)
{
	world->is_faulty = true;
	core_peer_gone(core_of(world, who), world_jids[peer], world->now_ms);
	settle(world, who);
}

/* ---- restarts ---- */

/* Ends every stream of `who`. */
static void drop_streams(struct world *world, enum who who)
{
	core_stop(core_of(world, who), world->now_ms);
	settle(world, who);
	for (unsigned i = 0; i < 2 * world->sessions_length; i++) {
		if (world->sessions[i / 2].ends[i % 2].who == who) {
			world_release(world, &world->sessions[i / 2], i % 2, false);
		}
	}
}

/* Whether the next process will know the stream. */
static bool is_journaled(const struct session *session)
{
	const struct end *end = &session->ends[1];
	return end->stream && end->stores && !stream_is_over(end->stream);
}

static void restore(struct world *world, struct session *session)
{
	struct end *end = &session->ends[1];
	const struct stream_facts facts = {
		.peer = world_jids[session->ends[0].who],
		.sid = session->sid,
		.block_size = session->block_size,
		.announced_size = -1,
		.received = end->stored,
		.blocks = end->blocks,
	};
	end->received = end->stored;
	end->awaits_sync = false;
	end->stream = core_restore(core_of(world, end->who), &facts, world->now_ms);
}

void world_restart(struct world *world, enum who who)
{
	struct session *known[WORLD_SESSIONS];
	unsigned length = 0;
	struct core *core = core_of(world, who);
	const struct stream_config config = core->ibb.config;
	world->is_faulty = true;
	lose_letters(world);
	for (unsigned i = 0; i < world->sessions_length; i++) {
		struct session *session = &world->sessions[i];
		if (session->ends[1].who == who && is_journaled(session)) {
			session->block_size = session->ends[1].stream->session.block_size;
			known[length++] = session;
		}
	}
	drop_streams(world, who);
	core_finish(core);
	core_start(core, &config, world->max_streams);
	world->answers_due[who] = 0;
	for (unsigned i = 0; i < length; i++) {
		restore(world, known[i]);
	}
	core_connect(core, world->now_ms);
	settle(world, who);
}

/* ---- time ---- */

void world_pass(struct world *world, int64_t ms)
{
	world->is_faulty = true;
	world->now_ms += ms;
	for (enum who who = ALICE; who <= BOB; who++) {
		core_tick(core_of(world, who), world->now_ms);
		/* Otherwise a caller that waits for the deadline would never sleep. */
		FUZZ_CHECK(core_deadline(core_of(world, who)) > world->now_ms);
		settle(world, who);
	}
}

void world_pass_deadline(struct world *world)
{
	int64_t alice_ms = core_deadline(core_of(world, ALICE));
	int64_t bob_ms = core_deadline(core_of(world, BOB));
	int64_t next_ms = alice_ms < bob_ms ? alice_ms : bob_ms;
	if (next_ms != STREAM_NO_DEADLINE) {
		world_pass(world, next_ms > world->now_ms ? next_ms - world->now_ms : 0);
	}
}

/* ---- strangers ---- */

void world_forge(struct world *world, enum who from, enum who to, const struct msg *msg)
{
	struct core *core = core_of(world, to);
	unsigned count = core_count(core);
	if (from <= BOB) {
		world->is_forged = world->is_faulty = true;
	}
	struct msg forged = *msg;
	forged.peer = world_jids[from];
	if (from == EVE && !is_answer(msg) && msg->kind != MSG_BOUNCE &&
	    (msg->kind != MSG_DATA || msg->stanza == STANZA_IQ)) {
		world->answers_due[to]++;
	}
	world->flooded += msg->data_length;
	if (world->flooded <= WORLD_FLOOD) {
		core_receive(core, &forged, from != EVE, world->now_ms);
	}
	FUZZ_CHECK(from != EVE || core_count(core) == count);
	settle(world, to);
}

/* ---- beginning and end ---- */

struct world *world_create(const struct stream_config *alice, const struct stream_config *bob,
			   unsigned max_streams)
{
	struct world *world = allocate(sizeof(*world));
	memset(world, 0, sizeof(*world));
	world->now_ms = 1000;
	world->max_streams = max_streams;
	/* This limits the time of an input. */
	size_t block = alice->block_size < bob->block_size ? alice->block_size : bob->block_size;
	world->most_written = block < WORLD_BYTES / 4096 ? block * 4096 : WORLD_BYTES;
	world->heads[ALICE] = world->tails[ALICE] = WORLD_LETTERS;
	world->heads[BOB] = world->tails[BOB] = WORLD_LETTERS;
	core_start(&world->cores[ALICE], alice, max_streams);
	core_start(&world->cores[BOB], bob, max_streams);
	return world;
}

/* Messages cannot wait for the reader: a session of more than the buffer holds may break. */
static bool is_small(const struct world *world, const struct session *session)
{
	size_t buffer = core_buffer(&world->cores[ALICE]);
	for (unsigned end = 0; end < 2; end++) {
		const struct pipe *pipe = &session->ends[end].out;
		size_t length = 0;
		for (unsigned i = 0; i < pipe->length; i++) {
			length += pipe->segments[i].length;
		}
		if (length > buffer) {
			return false;
		}
	}
	return true;
}

/* Whether only acts were played that a session survives. */
static bool must_succeed(const struct world *world, const struct session *session)
{
	return session->is_honest && !world->is_faulty && !session->is_ended &&
	       (!session->is_messages || is_small(world, session)) && session->ends[0].stream &&
	       session->ends[1].stream &&
	       (session->ends[0].reads || session->ends[1].out.length == 0);
}

/* A read at an end that stores commits what was read before. Only then may the peer go on, so a
 * read may find nothing although more will come. */
static void read_all(struct world *world, struct session *session, unsigned end)
{
	unsigned vain = 0;
	while (session->ends[end].reads && vain < 2) {
		const struct pipe *pipe = &session->ends[!end].out;
		unsigned at = pipe->at;
		size_t offset = pipe->offset;
		world_call(world, session, end, OP_READ, WORLD_MOST_BYTES, true);
		world_run(world);
		bool vainly =
			pipe->at == at && pipe->offset == offset && !session->ends[end].awaits_sync;
		vain = vainly ? vain + 1 : 0;
	}
}

/* A session without a fault: every byte and the end arrive. */
static void succeed(struct world *world, struct session *session)
{
	for (unsigned end = 0; end < 2; end++) {
		world_call(world, session, end, OP_FLUSH, 0, false);
	}
	world_run(world);
	for (unsigned i = 0; i < 4; i++) {
		read_all(world, session, i % 2);
	}
	for (unsigned end = 0; end < 2; end++) {
		FUZZ_CHECK(is_read(&session->ends[end].out));
		FUZZ_CHECK(!is_waiting(world, session, end, OP_WRITE));
		FUZZ_CHECK(!is_waiting(world, session, end, OP_WRITE_SYNC));
		FUZZ_CHECK(!is_waiting(world, session, end, OP_FLUSH));
		FUZZ_CHECK(!is_waiting(world, session, end, OP_OPEN));
	}
	world_release(world, session, 0, true);
	world_run(world);
	FUZZ_CHECK(stream_is_at_end(session->ends[1].stream));
	FUZZ_CHECK(session->ends[1].stream->error == 0);
	FUZZ_CHECK(!is_waiting(world, session, 1, OP_READ));
	world_release(world, session, 1, true);
}

void world_destroy(struct world *world)
{
	for (unsigned i = 0; i < world->sessions_length; i++) {
		if (must_succeed(world, &world->sessions[i])) {
			world_run(world);
		}
		/* Only now it is known whether the other side has accepted the bytes. */
		if (must_succeed(world, &world->sessions[i])) {
			succeed(world, &world->sessions[i]);
		}
	}
	for (enum who who = ALICE; who <= BOB; who++) {
		core_stop(core_of(world, who), world->now_ms);
		settle(world, who);
	}
	FUZZ_CHECK(world->calls == NULL);
	for (unsigned i = 0; i < 2 * world->sessions_length; i++) {
		world_release(world, &world->sessions[i / 2], i % 2, true);
	}
	lose_letters(world);
	for (enum who who = ALICE; who <= BOB; who++) {
		FUZZ_CHECK(core_is_drained(core_of(world, who)));
		FUZZ_CHECK(core_count(core_of(world, who)) == 0);
		core_finish(core_of(world, who));
	}
	free(world);
}
