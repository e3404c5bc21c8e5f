/* SPDX-License-Identifier: MIT */
/*
 * ops_internal - what the two halves of the operations share: ops.c (names, attributes,
 * directories) and ops_files.c (open files, whose calls may wait).
 *
 * Threads: as ops.h has it.
 */
#ifndef MOUNT_FUSE_OPS_INTERNAL_H
#define MOUNT_FUSE_OPS_INTERNAL_H

#include "account/handle.h"
#include "mount/fuse/ops.h"
#include "mount/hub.h"

const struct ops_context *ops_context_of(fuse_req_t req);
struct hub *ops_hub_of(fuse_req_t req);
struct handle *ops_handle_of(const struct fuse_file_info *info);

/* ---- ops_files.c ---- */

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	      struct fuse_file_info *info);
void ops_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
	       struct fuse_file_info *info);
void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void ops_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info);
void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
	      struct fuse_pollhandle *handle);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

#endif
