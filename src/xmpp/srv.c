/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* ns_parserr */

#include "xmpp/srv.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>

/* RFC 2782: priority, weight and port are before the target. */
#define FIXED_BYTES 6

static bool is_host_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	size_t length = strlen(text);

	return length > 0 && length < SRV_HOST_SIZE && strspn(text, letters) == length;
}

/* False when the record cannot be used. A target "." gives an empty host. */
static bool parse_record(ns_msg message, ns_rr record, struct srv_target *target)
{
	const unsigned char *data = ns_rr_rdata(record);
	char host[NS_MAXDNAME];

	if (ns_rr_type(record) != ns_t_srv || ns_rr_class(record) != ns_c_in ||
	    ns_rr_rdlen(record) <= FIXED_BYTES) {
		return false;
	}
	target->priority = (uint16_t)ns_get16(data);
	target->weight = (uint16_t)ns_get16(data + 2);
	target->port = (uint16_t)ns_get16(data + 4);
	if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + FIXED_BYTES, host,
			       sizeof(host)) < 0) {
		return false;
	}
	if (strcmp(host, ".") == 0 || host[0] == '\0') {
		target->host[0] = '\0';
		return true;
	}
	if (!is_host_name(host) || target->port == 0) {
		return false;
	}
	strcpy(target->host, host);
	return true;
}

/* Keeps the list sorted by priority. Of equal ones the earlier stays before the later. */
static void insert(struct srv_targets *targets, const struct srv_target *target)
{
	size_t at = targets->count;

	while (at > 0 && targets->at[at - 1].priority > target->priority) {
		at--;
	}
	if (at == SRV_MAX_TARGETS) {
		return;
	}
	if (targets->count < SRV_MAX_TARGETS) {
		targets->count++;
	}
	memmove(&targets->at[at + 1], &targets->at[at],
		(targets->count - 1 - at) * sizeof(targets->at[0]));
	targets->at[at] = *target;
}

int srv_add(struct srv_targets *targets, const unsigned char *answer, size_t length,
	    bool direct_tls)
{
	struct srv_target target = {.direct_tls = direct_tls};
	bool found = false, refused = false;
	ns_msg message;

	if (length > NS_MAXMSG || ns_initparse(answer, (int)length, &message) < 0) {
		return -EBADMSG;
	}
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		ns_rr record;

		if (ns_parserr(&message, ns_s_an, i, &record) < 0) {
			break; /* nothing behind it can be found */
		}
		if (!parse_record(message, record, &target)) {
			continue;
		}
		if (target.host[0] == '\0') {
			refused = true;
			continue;
		}
		found = true;
		insert(targets, &target);
	}
	return found ? 0 : refused ? -ENOTSUP : -ENOENT;
}

static void swap(struct srv_target *a, struct srv_target *b)
{
	struct srv_target kept = *a;

	*a = *b;
	*b = kept;
}

/* RFC 2782, "Weight": which of `count` targets is the next. Those with weight 0 stand first, and
 * so have a small chance. */
static size_t pick(const struct srv_target *group, size_t count, uint32_t random)
{
	uint32_t total = 0, sum = 0;

	for (size_t i = 0; i < count; i++) {
		total += group[i].weight;
	}
	uint32_t wanted = random % (total + 1);
	for (size_t i = 0; i < count; i++) {
		sum += group[i].weight;
		if (sum >= wanted) {
			return i;
		}
	}
	return 0; /* not reached: the last sum is the total */
}

static void sort_group(struct srv_target *group, size_t count, uint32_t (*random)(void *),
		       void *context)
{
	size_t weightless = 0;

	for (size_t i = 0; i < count; i++) {
		if (group[i].weight == 0) {
			swap(&group[weightless++], &group[i]);
		}
	}
	for (size_t i = 0; i + 1 < count; i++) {
		size_t picked = i + pick(group + i, count - i, random(context));

		/* The others keep their order: those with weight 0 are still first. */
		for (; picked > i; picked--) {
			swap(&group[picked], &group[picked - 1]);
		}
	}
}

void srv_sort(struct srv_targets *targets, uint32_t (*random)(void *context), void *context)
{
	for (size_t first = 0, end; first < targets->count; first = end) {
		for (end = first + 1; end < targets->count; end++) {
			if (targets->at[end].priority != targets->at[first].priority) {
				break;
			}
		}
		sort_group(targets->at + first, end - first, random, context);
	}
}
