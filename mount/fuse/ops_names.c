/* SPDX-License-Identifier: MIT */
#include "mount/fuse/ops_names.h"

#include "mount/disk/inbox_ops.h"
#include "mount/fuse/call.h"
#include "mount/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* How long the kernel caches a name. Each call looks up its path name by name. cp does so three
 * times before it opens a file: without the cache, that is half of the cost of a small file. */
static double name_timeout_s(enum tree_pace pace)
{
	switch (pace) {
	case TREE_STANZAS:
		return 0;
	case TREE_CALLS:
		return 0.005;
	case TREE_ROSTER:
		return 1;
	}
	return 0;
}

static void reply_entry(fuse_req_t req, int error, const struct stat *attributes,
			enum tree_pace pace)
{
	struct fuse_entry_param entry = {.entry_timeout = name_timeout_s(pace)};
	if (error == -ENOENT && pace != TREE_STANZAS) {
		fuse_reply_entry(req, &entry); /* ino 0: a negative entry */
		return;
	}
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	entry.ino = attributes->st_ino;
	entry.attr = *attributes;
	entry.attr_timeout = pace == TREE_ROSTER ? entry.entry_timeout : OPS_ATTRIBUTE_TIMEOUT_S;
	if (fuse_reply_entry(req, &entry) == -ENOENT) {
		hub_forget(call_hub_of(req), attributes->st_ino, 1);
	}
}

/* A lookup that waits for the inbox's disk. */
struct lookup_call {
	struct call call; /* first */
	fuse_ino_t parent;
	char name[NAME_MAX + 1];
};

/* Whether it is a complete file of the inbox; *path: of it. */
static bool is_in_inbox(fuse_req_t req, fuse_ino_t parent, const char *name, char path[PATH_MAX])
{
	const struct call_context *context = call_context_of(req);
	return context->inbox &&
	       hub_find_inbox_file(context->hub, parent, name, path, PATH_MAX) > 0;
}

/* ---- lookup ---- */

static void reply_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct stat attributes;
	enum tree_pace pace;
	int error = hub_lookup(call_hub_of(req), parent, name, &attributes, &pace);
	reply_entry(req, error, &attributes, pace);
}

/* Answers with what is known, whatever the result: if the disk did not answer, or a signal has
 * come, the tree is as before. */
static void deliver_lookup(struct request *request)
{
	struct lookup_call *lookup = (struct lookup_call *)request;
	reply_lookup(lookup->call.req, lookup->parent, lookup->name);
	call_end(&lookup->call);
}

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	char path[PATH_MAX];
	if (!is_in_inbox(req, parent, name, path)) {
		reply_lookup(req, parent, name);
		return;
	}
	struct call *call =
		call_begin_sized(req, sizeof(struct lookup_call), OP_READ, deliver_lookup);
	if (call) {
		struct lookup_call *lookup = (struct lookup_call *)call;
		lookup->parent = parent;
		snprintf(lookup->name, sizeof(lookup->name), "%s", name);
		struct early_signal early = call_early_signal(call);
		inbox_ops_look_up(call_context_of(req)->inbox, call_hub_of(req), &call->request,
				  parent, name, path);
		call_apply(early);
	}
}

/* ---- names that are made ---- */

/* A new node belongs to the caller: only the owner may set its times. */
static struct owner owner_of(fuse_req_t req)
{
	const struct fuse_ctx *context = fuse_req_ctx(req);
	return (struct owner){.uid = context->uid, .gid = context->gid};
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct stat attributes;
	(void)device;
	int error = hub_mknod(call_hub_of(req), parent, name, mode, owner_of(req), &attributes);
	reply_entry(req, error, &attributes, TREE_STANZAS);
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct stat attributes;
	(void)mode;
	int error = hub_mkdir(call_hub_of(req), parent, name, owner_of(req), &attributes);
	if (error == -EOPNOTSUPP) {
		log_warning("%s: the peer accepts no folders; an archive can be sent: tar -c %s",
			    name, name);
	}
	reply_entry(req, error, &attributes, TREE_STANZAS);
}

/* ---- names that are removed ---- */

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	char path[PATH_MAX];
	if (!is_in_inbox(req, parent, name, path)) {
		fuse_reply_err(req, -hub_unlink(call_hub_of(req), parent, name));
		return;
	}
	struct call *call = call_begin_disk(req, OP_READ, 0, call_deliver_status);
	if (call) {
		struct early_signal early = call_early_signal(call);
		inbox_ops_remove(call_context_of(req)->inbox, call_hub_of(req), &call->request,
				 parent, name, path);
		call_apply(early);
	}
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, -hub_rmdir(call_hub_of(req), parent, name));
}

/* ---- refused ---- */

/* EPERM, not ENOSYS: a tool then fails before it sends anything. */
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		const char *new_name, unsigned flags)
{
	(void)parent;
	(void)name;
	(void)new_parent;
	(void)new_name;
	(void)flags;
	fuse_reply_err(req, EPERM);
}
