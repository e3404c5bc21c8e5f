-- SPDX-License-Identifier: MIT
-- Says in the log who was told whose features (XEP-0030).

local DISCO = "http://jabber.org/protocol/disco#info";

module:hook("pre-iq/full", function (event)
	local stanza = event.stanza;
	if stanza.attr.type == "result" and stanza:get_child("query", DISCO) then
		module:log("info", "features of %s told to %s", stanza.attr.from, stanza.attr.to);
	end
end);
