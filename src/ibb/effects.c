/* SPDX-License-Identifier: MIT */
#include "ibb/effects.h"

#include <assert.h>
#include <errno.h>
#include <utlist.h>

int effects_send(struct effects *effects, const struct msg *template)
{
	struct msg *msg = msg_create(template);
	if (msg == NULL) {
		return -ENOMEM;
	}
	DL_APPEND(effects->messages, msg);
	effects->queued++;
	effects->memory += msg->memory;
	return 0;
}

int effects_send_result(struct effects *effects, const char *peer, const char *id)
{
	return effects_send(effects, &(struct msg){.kind = MSG_RESULT, .peer = peer, .id = id});
}

int effects_send_resumed(struct effects *effects, const char *peer, const char *id, uint16_t seq)
{
	struct msg result = {
		.kind = MSG_RESULT,
		.peer = peer,
		.id = id,
		.seq = seq,
		.has_seq = true,
	};
	return effects_send(effects, &result);
}

int effects_send_error(struct effects *effects, const char *peer, const char *id,
		       enum condition condition)
{
	struct msg error = {
		.kind = MSG_ERROR,
		.peer = peer,
		.id = id,
		.condition = condition,
		.error_type = condition_type(condition),
	};
	return effects_send(effects, &error);
}

int effects_send_wait(struct effects *effects, const char *peer, const char *id)
{
	struct msg error = {
		.kind = MSG_ERROR,
		.peer = peer,
		.id = id,
		.condition = CONDITION_RESOURCE_CONSTRAINT,
		.error_type = ERROR_TYPE_WAIT,
	};
	return effects_send(effects, &error);
}

struct op *effects_take_done(struct effects *effects)
{
	struct op *done = effects->done;
	effects->done = NULL;
	return done;
}

struct msg *effects_take_message(struct effects *effects)
{
	struct msg *msg = effects->messages;
	if (msg != NULL) {
		DL_DELETE(effects->messages, msg);
		effects->queued--;
		effects->memory -= msg->memory;
		msg->prev = msg->next = NULL;
	}
	return msg;
}

void effects_finish(struct effects *effects)
{
	assert(effects->done == NULL);
	struct msg *msg;
	while ((msg = effects_take_message(effects)) != NULL) {
		msg_destroy(msg);
	}
}
