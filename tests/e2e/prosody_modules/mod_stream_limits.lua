-- SPDX-License-Identifier: MIT
-- Has the stream features say what c2s_stanza_size_limit is (XEP-0478) if stream_limits_said, else
-- nothing of it. Left alone, Prosody 0.12 does not say it and 13.0 does.
local filters = require "util.filters";

local XMLNS = "urn:xmpp:stream-limits:0";
local limit = module:get_option_number("c2s_stanza_size_limit");
local said = module:get_option_boolean("stream_limits_said", false);

local function say(stanza)
	if stanza.name ~= "stream:features" then
		return stanza;
	end
	stanza:maptags(function (tag)
		if tag.attr.xmlns ~= XMLNS then
			return tag;
		end
	end);
	if said then
		stanza:reset():tag("limits", { xmlns = XMLNS });
		stanza:text_tag("max-bytes", ("%d"):format(limit)):reset();
	end
	return stanza;
end

filters.add_filter_hook(function (session)
	filters.add_filter(session, "stanzas/out", say);
end);
