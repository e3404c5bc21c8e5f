/* SPDX-License-Identifier: MIT */
#include "ibb/carriage.h"

#include <stdbool.h>

size_t carriage_shorter(size_t length)
{
	if (length <= CARRIAGE_MIN) {
		return length;
	}
	return length / 4 > CARRIAGE_MIN ? length / 4 : CARRIAGE_MIN;
}

void carriage_note(struct carriage *carriage, size_t length)
{
	carriage->carried = length > carriage->carried ? length : carriage->carried;
}

size_t carriage_broken(struct carriage *carriage, size_t longest)
{
	if (longest <= carriage->carried || longest <= CARRIAGE_MIN) {
		return 0;
	}
	bool again = carriage->suspect > carriage->carried;
	carriage->suspect = longest;
	return again ? carriage_shorter(longest) : 0;
}
