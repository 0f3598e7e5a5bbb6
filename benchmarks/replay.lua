-- A wrk script: asks for `paths` in turn until `requests` are answered, prints what it measured as
-- one line of JSON and ends wrk. The job (paths, requests, connections, headers) is written before it.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } instant_t;
  int clock_gettime(int clock, instant_t *instant);
]]
local MONOTONIC = 1
local instant = ffi.new("instant_t")

local function now()
  ffi.C.clock_gettime(MONOTONIC, instant)
  return tonumber(instant.seconds) + tonumber(instant.nanoseconds) * 1e-9
end

local sent, answered, failed, body_bytes = 0, 0, 0, 0
local started, asked = 0, 0
local latencies = {}

function request()
  local path = paths[sent % #paths + 1]
  asked = now()
  -- wrk calls this once before it connects, to look at what the script makes.
  if sent <= 1 then started = asked end
  sent = sent + 1
  return wrk.format("GET", path)
end

function response(status, headers, body)
  local answered_at = now()
  answered = answered + 1
  body_bytes = body_bytes + #body
  if status ~= 200 and status ~= 204 then failed = failed + 1 end
  if connections == 1 then latencies[answered] = string.format("%.7f", answered_at - asked) end
  if answered == requests then
    io.write(string.format(
      '{"seconds": %.6f, "answered": %d, "failed": %d, "body_bytes": %d, "latencies_s": [%s]}\n',
      answered_at - started, answered, failed, body_bytes, table.concat(latencies, ", ")))
    io.flush()
    os.exit(0)
  end
end
