/* SPDX-License-Identifier: MIT */
/*
 * ops_names - libfuse's operations on the names in a directory.
 *
 * Threads: as ops.h has it.
 */
#ifndef MOUNT_FUSE_OPS_NAMES_H
#define MOUNT_FUSE_OPS_NAMES_H

#include <fuse_lowlevel.h>

/* How long attributes hold: sizes change with every stanza, but one system call often asks twice.
 */
#define OPS_ATTRIBUTE_TIMEOUT_S 0.005

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		const char *new_name, unsigned flags);

#endif
