/* SPDX-License-Identifier: MIT */
/*
 * ops - libfuse's low-level operations, each answered by the hub.
 *
 * There is no CREATE: the kernel then asks for MKNOD and OPEN, and an OPEN that waits for the peer
 * holds no lock on the directory. lseek, fallocate and copy_file_range are not there
 * either: the kernel answers for them.
 *
 * Threads: called in the main thread; answers leave in whichever thread finishes the request.
 */
#ifndef MOUNT_FUSE_OPS_H
#define MOUNT_FUSE_OPS_H

#include <fuse_lowlevel.h>

extern const struct fuse_lowlevel_ops ops_table;

#endif
