-- REAPER: an ReaScript action that controls a session and shows what it plays.
--
-- First: demiurge live my.db --mode free --osc 9000
-- It needs LuaSocket, which ReaPack installs (repository "mavriq", package "Mavriq Lua Sockets").
-- Starting REAPER's transport lets the session go on, stopping it makes it listen; run the action
-- again to end it.

local function find_socket()
  if not reaper.GetResourcePath then return require("socket") end
  local folder = reaper.GetResourcePath() .. "/Scripts/Mavriq ReaScript Repository/Various/Mavriq-Lua-Sockets/"
  package.cpath = package.cpath .. ";" .. folder .. "?.dll;" .. folder .. "?.so"
  package.path = package.path .. ";" .. folder .. "?.lua"
  return require("socket")
end

local udp = find_socket().udp()
udp:setpeername("127.0.0.1", 9000)
udp:settimeout(0)

local function padded(text)
  return text .. string.rep("\0", 4 - #text % 4)
end

-- Send a message; types as in OSC: i, f and s, one letter for each argument.
local function send(address, types, ...)
  local packet = padded(address) .. padded("," .. (types or ""))
  for number, value in ipairs({ ... }) do
    local kind = types:sub(number, number)
    if kind == "s" then
      packet = packet .. padded(value)
    else
      packet = packet .. string.pack(kind == "i" and ">i4" or ">f", value)
    end
  end
  udp:send(packet)
end

-- Return the address and the arguments of a message.
local function parse(packet)
  local address, types = packet:match("^([^%z]+)%z+,([^%z]*)")
  local at = #padded(address) + #padded("," .. types) + 1
  local values = {}
  for kind in types:gmatch(".") do
    if kind == "s" then
      local text = packet:match("^[^%z]*", at)
      values[#values + 1] = text
      at = at + #padded(text)
    else
      values[#values + 1] = string.unpack(kind == "i" and ">i4" or ">f", packet, at)
      at = at + 4
    end
  end
  return address, values
end

-- Call a function with each message of a packet: one, or a bundle of several.
local function each_message(packet, call)
  if packet:sub(1, 7) ~= "#bundle" then return call(parse(packet)) end
  local at = 17
  while at < #packet do
    local size = string.unpack(">i4", packet, at)
    call(parse(packet:sub(at + 4, at + 3 + size)))
    at = at + 4 + size
  end
end

local function show(address, values)
  if address == "/demiurge/status/unit" then
    reaper.ShowConsoleMsg(string.format("%s from %.2f s\n", values[5], values[6]))
  elseif address == "/demiurge/error" then
    reaper.ShowConsoleMsg(values[1] .. "\n")
  end
end

local was_playing = false

local function loop()
  local is_playing = reaper.GetPlayState() & 1 == 1
  if is_playing and not was_playing then
    send("/demiurge/scene/recall", "i", 1)
    send("/demiurge/go")
  elseif was_playing and not is_playing then
    send("/demiurge/listen")
  end
  was_playing = is_playing
  local packet = udp:receive()
  while packet do
    each_message(packet, show)
    packet = udp:receive()
  end
  reaper.defer(loop)
end

reaper.atexit(function()
  send("/demiurge/status/unsubscribe")
end)

send("/demiurge/status/subscribe")
send("/demiurge/knob/temperature", "f", 0.5)
send("/demiurge/knob/tempo", "f", reaper.Master_GetTempo())
send("/demiurge/filter/source", "s", "*piano*")
send("/demiurge/scene/save", "i", 1)
loop()
