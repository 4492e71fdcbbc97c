-- For wrk: wrk -s several_at_once.lua URL -- COUNT sends COUNT requests at once over each connection.
local requests

init = function(arguments)
  requests = wrk.format():rep(tonumber(arguments[1]))
end

request = function()
  return requests
end
