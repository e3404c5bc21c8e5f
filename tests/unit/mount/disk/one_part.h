/* SPDX-License-Identifier: MIT */
/*
 * one_part - the hub's side of the parts in an inbox: there is one, or none; for unit tests.
 *
 * It also has log_warning, which says nothing.
 */
#ifndef UNIT_MOUNT_DISK_ONE_PART_H
#define UNIT_MOUNT_DISK_ONE_PART_H

#include <stdbool.h>

#define PART "a@x/old.part"

/* Whether the hub knows it. hub_take_oldest_part takes it. */
extern bool hub_has_part;

#endif
