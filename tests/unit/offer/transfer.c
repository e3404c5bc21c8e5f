/* SPDX-License-Identifier: MIT */
#include "offer/transfer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void transfer_start(struct scene *scene, const struct transfer_format *format)
{
	scene_start(scene, ACCEPT_CONTACTS);
	scene->features = FEATURE_IBB | format->feature;
	scene_contact(scene, "a@x");
	scene_comes(scene, PHONE, 0);
}

struct digest transfer_digest(enum hash_algorithm algorithm, const char *text)
{
	struct digest digest;
	struct hash *hash = hash_create(algorithm);
	assert_non_null(hash);
	assert_int_equal(hash_update(hash, text, strlen(text)), 0);
	assert_int_equal(hash_finish(hash, &digest), 0);
	hash_destroy(hash);
	return digest;
}

void transfer_block(struct scene *scene, const char *sid, unsigned seq, const char *text)
{
	scene_peer_sends(scene, PHONE, sid, seq, text);
	scene_sent(scene, MSG_RESULT, PHONE);
}

struct handle *transfer_receive(struct scene *scene, const struct transfer_format *format,
				enum transfer_stage stage, struct call **call)
{
	struct handle *handle = NULL;
	*call = NULL;
	format->offer(scene);
	if (stage >= ACCEPTED) {
		*call = scene_open(scene, "a@x/in/f", O_RDONLY);
		format->sees_accept(scene);
	}
	if (stage >= OPENED) {
		scene_peer_begins(scene, PHONE, format->sid, SCENE_BLOCK);
		scene_sent(scene, MSG_RESULT, PHONE);
		assert_result(*call, 0);
		handle = call_handle(*call);
		*call = scene_read(scene, handle, 100);
	}
	if (stage >= HALF) {
		transfer_block(scene, format->sid, 0, "Hello, w");
		assert_text(*call, "Hello, w");
		*call = scene_read(scene, handle, 100);
	}
	if (stage >= WHOLE) {
		transfer_block(scene, format->sid, 1, "orld");
		assert_text(*call, "orld");
	}
	if (stage >= WHOLE && format->checks) {
		*call = scene_read(scene, handle, 100);
	}
	return handle;
}

struct handle *transfer_spool(struct scene *scene, const char *path)
{
	struct handle *handle = scene_opened(scene, path, O_WRONLY);
	assert_true(handle_is_spooled(handle));
	scene_is_quiet(scene);
	return handle;
}

void transfer_break(struct scene *scene, enum transfer_break how)
{
	switch (how) {
	case PEER_GONE:
		scene_goes(scene, PHONE);
		break;
	case DISCONNECTED:
		dispatch_offline(&scene->account, "gone", 0, scene->now_ms);
		scene_settle(scene);
		break;
	case SILENT:
		scene_wait(scene, 4 * SCENE_TIMEOUT);
		break;
	case STOPPED:
		shutdown_begin(&scene->account, false, scene->now_ms);
		scene_settle(scene);
		break;
	case ABANDONED:
	case BREAKS:
		shutdown_abandon(&scene->account, scene->now_ms);
		scene_settle(scene);
		break;
	}
}
