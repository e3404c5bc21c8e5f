-- SPDX-License-Identifier: MIT
-- Says in the stream features what c2s_stanza_size_limit is (XEP-0478); Prosody 0.12 does not.
local limit = module:get_option_number("c2s_stanza_size_limit");

module:hook("stream-features", function (event)
	local features = event.features:tag("limits", { xmlns = "urn:xmpp:stream-limits:0" });
	features:text_tag("max-bytes", ("%d"):format(limit)):up();
end);
