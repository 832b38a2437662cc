-- wrk script: POST of the file named in BODY with the headers in HDRS ("K: v;K: v"). The request is built once, so
-- Lua costs nothing per request. Prints one JSON line.
local f = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method = "POST"
wrk.body = f:read("*a")
f:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-bench-0123456789"
for k, v in (os.getenv("HDRS") or ""):gmatch("%s*([^:;]+):%s*([^;]+)") do wrk.headers[k] = v end
function done(s, l, r)
  io.write(string.format('{"ok":%d,"secs":%.6f,"err":%d,"http_err":%d}\n', s.requests - s.errors.status, s.duration / 1e6,
    s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout, s.errors.status))
end
