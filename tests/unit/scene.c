/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include "account/entry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include <cmocka.h>

static const struct stream_config config = {
	.block_size = SCENE_BLOCK,
	.stanza = STANZA_IQ,
	.window = SCENE_WINDOW,
	.buffer = SCENE_BUFFER,
	.timeout_ms = SCENE_TIMEOUT,
	.answer_timeout_ms = SCENE_ANSWER_TIMEOUT,
};

int scene_try_start(struct scene *scene, enum access accept)
{
	memset(scene, 0, sizeof(*scene));
	scene->now_ms = 1000;
	scene->features = FEATURE_IBB | FEATURE_IBBFS;
	int error = account_init(&scene->account, &config, SCENE_STREAMS, accept, "me@home.example",
				 1000, 100);
	if (!error) {
		dispatch_online(&scene->account, SCENE_ME, scene->now_ms);
	}
	return error;
}

void scene_start(struct scene *scene, enum access accept)
{
	assert_int_equal(scene_try_start(scene, accept), 0);
}

void scene_finish(struct scene *scene)
{
	shutdown_abandon(&scene->account, scene->now_ms);
	scene_settle(scene);
	msg_destroy(scene->sent);
	account_finish(&scene->account);
	for (size_t i = 0; i < scene->calls_length; i++) {
		assert_int_equal(scene->calls[i].completed, 1);
		op_finish(&scene->calls[i].op);
	}
	for (size_t i = 0; i < scene->uploads_length; i++) {
		assert_true(scene->uploads[i].over);
		op_finish(&scene->uploads[i].call.op);
	}
}

/* The digest of the whole file, once it has been read up to `offset`. */
static void tell_digest(struct scene *scene, struct upload *upload, const struct offer_part *part,
			size_t offset)
{
	struct digest digest;
	struct hash *hash = hash_create(part->digest);
	if (hash && !upload->told && offset >= part->size) {
		upload->told = true;
		assert_int_equal(hash_update(hash, upload->bytes, part->size), 0);
		assert_int_equal(hash_finish(hash, &digest), 0);
		spool_file_set_digest(&scene->account, upload->number, &digest);
	}
	hash_destroy(hash);
}

/* The next step of what upload.c does. */
static void step(struct scene *scene, struct upload *upload)
{
	struct account *account = &scene->account;
	struct op *op = &upload->call.op;
	ssize_t result = op->result;
	upload->call.completed = 0;
	op_finish(op);
	op_init(op, OP_FLUSH, 0, 0, false);
	if (!upload->started) {
		upload->started = true;
		spool_file_wait(account, upload->number, op);
		return;
	}
	struct offer_part part = {0};
	int error = result < 0 ? (int)result : spool_file_part(account, upload->number, &part);
	/* A file of another length than was offered: all of it. */
	size_t end = part.end < part.size ? part.end : upload->length;
	upload->offset = upload->offset < part.begin ? part.begin : upload->offset;
	size_t left = end - upload->offset;
	upload->over = error || left == 0;
	if (upload->over) {
		if (!error) {
			tell_digest(scene, upload, &part, part.size);
		}
		spool_file_end(account, upload->number, error, scene->now_ms);
		return;
	}
	const char *bytes = upload->bytes + upload->offset;
	size_t length = left < SCENE_PIECE ? left : SCENE_PIECE;
	op_init(op, OP_WRITE, 0, length, false);
	upload->offset += length;
	tell_digest(scene, upload, &part, upload->offset);
	spool_file_send(account, upload->number, op, bytes, scene->now_ms);
}

/* True: there are more effects. */
static bool settle(struct scene *scene)
{
	struct op *op, *next;
	struct op *done = dispatch_take_done(&scene->account, scene->now_ms);
	DL_FOREACH_SAFE (done, op, next) {
		struct call *call = (struct call *)op;
		DL_DELETE(done, op);
		assert_null(op->list);
		call->completed++;
		assert_int_equal(call->completed, 1);
	}
	for (size_t i = 0; i < scene->uploads_length; i++) {
		struct upload *upload = &scene->uploads[i];
		if (upload->call.completed > 0 && !upload->over) {
			step(scene, upload);
			return true;
		}
	}
	return false;
}

void scene_settle(struct scene *scene)
{
	while (settle(scene)) {
	}
}

void scene_wait(struct scene *scene, int64_t ms)
{
	int64_t until_ms = scene->now_ms + ms;
	unsigned ticks = 0;
	while (timer_deadline(&scene->account) <= until_ms) {
		int64_t deadline_ms = timer_deadline(&scene->account);
		if (deadline_ms > scene->now_ms) {
			scene->now_ms = deadline_ms;
		}
		timer_tick(&scene->account, scene->now_ms);
		scene_settle(scene);
		assert_true(++ticks < 1000); /* or it wants to be called for ever */
	}
	scene->now_ms = until_ms;
}

struct node *scene_find(const struct scene *scene, const char *path)
{
	struct node *node = scene->account.tree.root;
	while (node && *path != '\0') {
		char name[256];
		size_t length = strcspn(path, "/");
		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		path += length + (path[length] == '/');
		node = tree_child(&scene->account.tree, node, name);
	}
	return node;
}

/* The directory of `path`, and the name in it. */
static struct node *find_parent(const struct scene *scene, const char *path, const char **name)
{
	char parent[1024];
	const char *slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash ? slash - path : 0), path);
	struct node *node = scene_find(scene, parent);
	assert_non_null(node);
	return node;
}

const char *scene_attribute(struct scene *scene, const char *path, const char *name)
{
	char full[64];
	const struct node *node = scene_find(scene, path);
	assert_non_null(node);
	snprintf(full, sizeof(full), "user.ibb.%s", name);
	ssize_t length = attribute_get(&scene->account, node, full, scene->value);
	assert_true(length >= 0);
	scene->value[length] = '\0';
	return scene->value;
}

/* ---- the server ---- */

void scene_contact(struct scene *scene, const char *jid)
{
	dispatch_roster_item(&scene->account, jid, false);
	scene_settle(scene);
}

void scene_comes(struct scene *scene, const char *jid, int priority)
{
	dispatch_presence(&scene->account, jid, true, priority, 0, scene->now_ms);
	scene_settle(scene);
}

void scene_goes(struct scene *scene, const char *jid)
{
	dispatch_presence(&scene->account, jid, false, 0, 0, scene->now_ms);
	scene_settle(scene);
}

/* ---- the wire ---- */

const struct msg *scene_next(struct scene *scene)
{
	msg_destroy(scene->sent);
	scene->sent = account_next(&scene->account, scene->now_ms * 1000);
	return scene->sent;
}

const struct msg *scene_sent(struct scene *scene, enum msg_kind kind, const char *peer)
{
	const struct msg *msg = scene_next(scene);
	assert_non_null(msg);
	assert_int_equal(msg->kind, kind);
	assert_string_equal(msg->peer, peer);
	return msg;
}

void scene_refused(struct scene *scene, const char *peer, enum condition condition,
		   enum detail detail)
{
	const struct msg *msg = scene_sent(scene, MSG_ERROR, peer);
	assert_string_equal(condition_name(msg->condition), condition_name(condition));
	assert_int_equal(msg->detail, detail);
}

const struct msg *scene_jingle(struct scene *scene, enum jingle_action action, const char *peer)
{
	const struct msg *msg = scene_sent(scene, MSG_JINGLE, peer);
	assert_int_equal(msg->metadata->action, action);
	return msg;
}

void scene_is_quiet(struct scene *scene)
{
	assert_null(account_next(&scene->account, scene->now_ms * 1000));
}

void scene_receive(struct scene *scene, const struct msg *msg)
{
	dispatch_receive(&scene->account, msg, scene->now_ms * 1000);
	account_drained(&scene->account);
	scene_settle(scene);
}

static void answer(struct scene *scene, struct msg answer)
{
	assert_non_null(scene->sent);
	answer.peer = scene->sent->peer;
	answer.id = scene->sent->id;
	scene_receive(scene, &answer);
}

void scene_result(struct scene *scene)
{
	answer(scene, (struct msg){.kind = MSG_RESULT});
}

void scene_says(struct scene *scene, unsigned features)
{
	answer(scene, (struct msg){.kind = MSG_RESULT, .features = features});
}

void scene_error(struct scene *scene, enum condition condition)
{
	answer(scene, (struct msg){.kind = MSG_ERROR,
				   .condition = condition,
				   .error_type = condition_type(condition)});
}

void scene_play(struct scene *scene)
{
	const struct msg *msg;
	while ((msg = scene_next(scene))) {
		if (msg->kind == MSG_DATA) {
			if (scene->delivered + msg->data_length <= sizeof(scene->text)) {
				memcpy(scene->text + scene->delivered, msg->data, msg->data_length);
			}
			scene->delivered += msg->data_length;
		}
		if (msg->kind == MSG_INFO) {
			scene_says(scene, scene->features);
		} else if (msg->kind == MSG_SI) {
			scene_accept(scene);
		} else if (msg->kind == MSG_JINGLE &&
			   msg->metadata->action == JINGLE_SESSION_INITIATE) {
			scene_result(scene);
			struct metadata metadata = *msg->metadata;
			metadata.action = JINGLE_SESSION_ACCEPT;
			scene_peer_says(scene, msg->peer, msg->sid, &metadata);
		} else if (msg->kind != MSG_RESULT && msg->kind != MSG_ERROR) {
			scene_result(scene);
		}
	}
}

static void request(struct scene *scene, struct msg msg)
{
	char id[16];
	snprintf(id, sizeof(id), "r%u", ++scene->last_id);
	msg.id = id;
	scene_receive(scene, &msg);
}

void scene_peer_opens(struct scene *scene, const char *peer, const char *sid, const char *name)
{
	request(scene, (struct msg){.kind = MSG_OPEN,
				    .peer = peer,
				    .sid = sid,
				    .name = name,
				    .size = -1,
				    .block_size = SCENE_BLOCK});
}

void scene_peer_sends(struct scene *scene, const char *peer, const char *sid, unsigned seq,
		      const char *text)
{
	request(scene, (struct msg){.kind = MSG_DATA,
				    .peer = peer,
				    .sid = sid,
				    .seq = (uint16_t)seq,
				    .data = (const uint8_t *)text,
				    .data_length = strlen(text)});
}

void scene_peer_closes(struct scene *scene, const char *peer, const char *sid, bool reset)
{
	request(scene,
		(struct msg){
			.kind = MSG_CLOSE, .peer = peer, .sid = sid, .size = -1, .reset = reset});
}

void scene_peer_offers(struct scene *scene, const char *peer, const char *id,
		       const struct metadata *metadata)
{
	request(scene, (struct msg){.kind = MSG_SI, .peer = peer, .sid = id, .metadata = metadata});
}

void scene_peer_says(struct scene *scene, const char *peer, const char *session,
		     const struct metadata *metadata)
{
	request(scene,
		(struct msg){
			.kind = MSG_JINGLE, .peer = peer, .sid = session, .metadata = metadata});
}

struct metadata scene_file(const char *name, int64_t size)
{
	return (struct metadata){
		.file = {.name = name, .size = size, .date = METADATA_NO_DATE},
		.has_ibb = true,
	};
}

struct metadata scene_session(const char *name, int64_t size, const char *sid)
{
	struct metadata metadata = scene_file(name, size);
	metadata.action = JINGLE_SESSION_INITIATE;
	metadata.content = "content";
	metadata.contents = 1;
	metadata.has_file = true;
	metadata.transport_sid = sid;
	metadata.block_size = SCENE_BLOCK;
	return metadata;
}

void scene_peer_begins(struct scene *scene, const char *peer, const char *sid, uint32_t block_size)
{
	request(scene, (struct msg){.kind = MSG_OPEN,
				    .peer = peer,
				    .sid = sid,
				    .size = -1,
				    .block_size = block_size});
}

void scene_accept(struct scene *scene)
{
	struct metadata metadata = scene_file(NULL, METADATA_NO_SIZE);
	answer(scene, (struct msg){.kind = MSG_RESULT, .metadata = &metadata});
}

/* ---- the users ---- */

static struct call *new_call(struct scene *scene, enum op_kind kind, size_t size, bool nonblock)
{
	assert_true(scene->calls_length < sizeof(scene->calls) / sizeof(scene->calls[0]));
	struct call *call = &scene->calls[scene->calls_length++];
	op_init(&call->op, kind, scene->calls_length, size, nonblock);
	return call;
}

struct call *scene_open(struct scene *scene, const char *path, int flags)
{
	struct node *node = scene_find(scene, path);
	char sid[HANDLE_SID_SIZE];
	if (!node) {
		const char *name;
		struct node *parent = find_parent(scene, path, &name);
		if (entry_mknod(&scene->account, parent, name, S_IFREG | 0644, scene->now_ms,
				&node)) {
			return NULL;
		}
	}
	struct call *call = new_call(scene, OP_OPEN, 0, false);
	snprintf(sid, sizeof(sid), "sid%u", ++scene->last_sid);
	file_open(&scene->account, node, flags, sid, &call->op, scene->now_ms);
	scene_settle(scene);
	return call;
}

static struct call *read_handle(struct scene *scene, struct handle *handle, size_t size,
				bool nonblock)
{
	struct call *call = new_call(scene, OP_READ, size, nonblock);
	file_read(&scene->account, handle, &call->op, scene->now_ms);
	scene_settle(scene);
	return call;
}

struct call *scene_read(struct scene *scene, struct handle *handle, size_t size)
{
	return read_handle(scene, handle, size, false);
}

struct call *scene_poll(struct scene *scene, struct handle *handle, size_t size)
{
	return read_handle(scene, handle, size, true);
}

static struct call *write_handle(struct scene *scene, enum op_kind kind, struct handle *handle,
				 const char *text, uint64_t offset)
{
	struct call *call = new_call(scene, kind, strlen(text), false);
	file_write(&scene->account, handle, &call->op, text, offset, scene->now_ms);
	scene_settle(scene);
	return call;
}

struct call *scene_write(struct scene *scene, struct handle *handle, const char *text,
			 uint64_t offset)
{
	return write_handle(scene, OP_WRITE, handle, text, offset);
}

struct call *scene_write_sync(struct scene *scene, struct handle *handle, const char *text,
			      uint64_t offset)
{
	return write_handle(scene, OP_WRITE_SYNC, handle, text, offset);
}

static struct call *flush(struct scene *scene, struct handle *handle, enum handle_close close)
{
	struct call *call = new_call(scene, OP_FLUSH, 0, false);
	file_flush(&scene->account, handle, &call->op, close, scene->now_ms);
	scene_settle(scene);
	return call;
}

struct call *scene_flush(struct scene *scene, struct handle *handle)
{
	return flush(scene, handle, HANDLE_CLOSE);
}

struct call *scene_sync(struct scene *scene, struct handle *handle)
{
	struct call *call = new_call(scene, OP_FLUSH, 0, false);
	file_sync(&scene->account, handle, &call->op, scene->now_ms);
	scene_settle(scene);
	return call;
}

struct call *scene_killed(struct scene *scene, struct handle *handle)
{
	return flush(scene, handle, HANDLE_CLOSE_KILLED);
}

struct call *scene_flush_shared(struct scene *scene, struct handle *handle)
{
	return flush(scene, handle, HANDLE_CLOSE_SHARED);
}

void scene_release(struct scene *scene, struct handle *handle)
{
	release_handle(&scene->account, handle, scene->now_ms);
	scene_settle(scene);
}

static void upload(struct scene *scene, uint64_t number, const char *bytes, size_t length)
{
	if (number == 0) {
		return;
	}
	assert_true(scene->uploads_length < SCENE_UPLOADS);
	struct upload *upload = &scene->uploads[scene->uploads_length++];
	*upload = (struct upload){.number = number, .bytes = bytes, .length = length};
	step(scene, upload);
	scene_settle(scene);
}

struct call *scene_offer(struct scene *scene, struct handle *handle, const char *bytes,
			 size_t length, const struct digest *md5)
{
	struct call *call = new_call(scene, OP_FLUSH, 0, false);
	if (!handle->node->file.offer) {
		spool_file_resize(handle, length);
	}
	uint64_t number =
		spool_file_offer(&scene->account, handle, &call->op, length, md5, scene->now_ms);
	scene_settle(scene);
	upload(scene, number, bytes, length);
	return call;
}

void scene_leave(struct scene *scene, struct handle *handle, const char *bytes, size_t length)
{
	if (!spool_file_is_unoffered(handle)) {
		scene_release(scene, handle);
		return;
	}
	uint64_t number = release_unattended(&scene->account, handle, length, NULL, scene->now_ms);
	scene_settle(scene);
	upload(scene, number, bytes, length);
}

void scene_interrupt(struct scene *scene, struct call *call)
{
	file_interrupt(&scene->account, &call->op);
	scene_settle(scene);
}

int scene_unlink(struct scene *scene, const char *path)
{
	const char *name;
	struct node *parent = find_parent(scene, path, &name);
	int error = entry_unlink(&scene->account, parent, name, scene->now_ms);
	scene_settle(scene);
	return error;
}

int scene_mkdir(struct scene *scene, const char *path)
{
	const char *name;
	struct node *parent = find_parent(scene, path, &name), *node;
	int error = entry_mkdir(&scene->account, parent, name, &node);
	scene_settle(scene);
	return error;
}

int scene_rmdir(struct scene *scene, const char *path)
{
	const char *name;
	struct node *parent = find_parent(scene, path, &name);
	int error = entry_rmdir(&scene->account, parent, name, scene->now_ms);
	scene_settle(scene);
	return error;
}

struct handle *scene_opened(struct scene *scene, const char *path, int flags)
{
	struct call *call = scene_open(scene, path, flags);
	assert_non_null(call);
	scene_play(scene);
	assert_result(call, 0);
	return call_handle(call);
}

struct handle *call_handle(const struct call *call)
{
	return call->op.context;
}

bool call_is_done(const struct call *call)
{
	return call->completed > 0;
}

void call_check(const struct call *call, ssize_t result, const char *data, const char *file,
		int line)
{
	_assert_true(call_is_done(call), "the call is done", file, line);
	_assert_int_equal((LargestIntegralType)call->op.result, (LargestIntegralType)result, file,
			  line);
	if (data) {
		_assert_memory_equal(call->op.data, data, (size_t)result, file, line);
	}
}

void scene_check_names(const struct scene *scene, const char *path, const char *expected,
		       const char *file, int line)
{
	char names[2048] = "";
	struct node *child;
	const struct node *directory = scene_find(scene, path);
	_assert_true(directory != NULL, path, file, line);
	DL_FOREACH (directory->children, child) {
		if (child->kind != NODE_INCOMING && child->kind != NODE_STATUS &&
		    child->kind != NODE_IN && child->kind != NODE_NEXT) {
			strcat(names, child->name);
			strcat(names, " ");
		}
	}
	_assert_string_equal(names, expected, file, line);
}

uint64_t scene_size(const struct scene *scene, const char *path)
{
	struct stat attributes;
	const struct node *node = scene_find(scene, path);
	assert_non_null(node);
	node_attributes(node, &attributes);
	return (uint64_t)attributes.st_size;
}

void scene_removed(struct scene *scene, const char *jid)
{
	dispatch_roster_item(&scene->account, jid, true);
	scene_settle(scene);
}

void scene_offline(struct scene *scene)
{
	dispatch_offline(&scene->account, "gone", 0, scene->now_ms);
	scene_settle(scene);
}

void scene_online(struct scene *scene)
{
	dispatch_roster_reset(&scene->account, scene->now_ms);
	scene_contact(scene, "a@x");
	dispatch_online(&scene->account, "me@home.example/again", scene->now_ms);
	scene_settle(scene);
}

/* ---- a@x and her phone ---- */

void scene_start_with_phone(struct scene *scene)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene_contact(scene, "a@x");
	scene_comes(scene, SCENE_PHONE, 0);
}

void scene_arrives(struct scene *scene, const char *sid, const char *name)
{
	scene_peer_opens(scene, SCENE_PHONE, sid, name);
	scene_play(scene);
}
