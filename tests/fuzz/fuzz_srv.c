/* SPDX-License-Identifier: MIT */
/*
 * SRV records in the answer of a name server. The first two bytes choose the kind of record and the
 * random numbers, the rest is the message.
 */
#include "fuzz.h"
#include "xmpp/srv.h"

#include <errno.h>
#include <string.h>

static uint32_t roll(void *context)
{
	uint32_t *state = context;

	return *state = *state * 1664525 + 1013904223;
}

static void check_target(const struct srv_target *target)
{
	size_t length = strnlen(target->host, SRV_HOST_SIZE);

	FUZZ_CHECK(length > 0 && length < SRV_HOST_SIZE);
	for (size_t i = 0; i < length; i++) {
		FUZZ_CHECK(target->host[i] > ' ' && target->host[i] < 0x7f);
	}
	FUZZ_CHECK(target->port != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct srv_targets targets = {0};
	unsigned ports = 0, ports_sorted = 0;

	if (length < 2) {
		return 0;
	}
	uint32_t state = bytes[1];
	unsigned char *answer = (unsigned char *)fuzz_string(bytes + 2, length - 2);

	for (int i = 0; i < 2; i++) {
		size_t before = targets.count;
		int error = srv_add(&targets, answer, length - 2, (bytes[0] & 1) != i);

		FUZZ_CHECK(error == 0 || error == -ENOENT || error == -ENOTSUP ||
			   error == -EBADMSG);
		FUZZ_CHECK((error == 0) == (targets.count > before || before == SRV_MAX_TARGETS));
	}
	FUZZ_CHECK(targets.count <= SRV_MAX_TARGETS);
	for (size_t i = 0; i < targets.count; i++) {
		check_target(&targets.at[i]);
		ports += targets.at[i].port;
	}
	srv_sort(&targets, roll, &state);
	for (size_t i = 0; i < targets.count; i++) {
		FUZZ_CHECK(i == 0 || targets.at[i].priority >= targets.at[i - 1].priority);
		ports_sorted += targets.at[i].port;
	}
	FUZZ_CHECK(ports == ports_sorted);
	free(answer);
	return 0;
}
