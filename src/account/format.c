/* SPDX-License-Identifier: MIT */
#include "account/format.h"

#include <errno.h>
#include <string.h>

static const char *const names[] = {
	[FORMAT_AUTO] = "auto",
	[FORMAT_RAW] = "raw",
	[FORMAT_SI] = "si",
	[FORMAT_JINGLE] = "jingle",
};

const char *format_name(enum format format)
{
	return names[format];
}

int format_from_name(const char *name, enum format *format)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			*format = (enum format)i;
			return 0;
		}
	}
	return -EINVAL;
}

unsigned format_features(enum format format)
{
	switch (format) {
	case FORMAT_RAW:
		return FEATURE_IBB;
	case FORMAT_SI:
		return FEATURE_SI;
	case FORMAT_JINGLE:
		return FEATURE_JINGLE;
	case FORMAT_AUTO:
		break;
	}
	return FEATURE_IBB | FEATURE_SI | FEATURE_JINGLE;
}

int format_choose(enum format wanted, unsigned features, enum format *format)
{
	*format = wanted;
	if (wanted != FORMAT_AUTO) {
		return 0;
	}
	if (features & FEATURE_IBBFS) {
		*format = FORMAT_RAW;
	} else if (features & FEATURE_JINGLE && !(features & FEATURE_JINGLE_CRASHES)) {
		*format = FORMAT_JINGLE;
	} else if (features & FEATURE_SI) {
		*format = FORMAT_SI;
	} else {
		*format = FORMAT_RAW;
		return features & FEATURE_TOLD && !(features & FEATURE_IBB) ? -EPROTONOSUPPORT : 0;
	}
	return 0;
}

enum offer_format format_offer(enum format format)
{
	return format == FORMAT_SI ? OFFER_SI : OFFER_JINGLE;
}
