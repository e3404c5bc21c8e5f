-- SPDX-License-Identifier: MIT
-- Every resource of the user "sink" is online, and accepts all streams and all that comes on them.
local st = require "util.stanza";

local DISCO = "http://jabber.org/protocol/disco#info";

module:hook("pre-iq/full", function (event)
	local stanza = event.stanza;
	local kind = stanza.attr.type;
	if not stanza.attr.to:find("^sink@") or (kind ~= "set" and kind ~= "get") then
		return nil;
	end
	local reply = st.reply(stanza);
	if stanza:get_child("query", DISCO) then
		reply:tag("query", { xmlns = DISCO });
		reply:tag("feature", { var = "http://jabber.org/protocol/ibb" });
	end
	event.origin.send(reply);
	return true;
end, 1000);
