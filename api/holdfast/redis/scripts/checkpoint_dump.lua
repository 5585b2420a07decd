-- Both keys of a thread as they are at one moment; nothing for a thread that has none. Writes alone may have no index.
local values, index = redis.call('DUMP', VALUES), redis.call('DUMP', INDEX)
if not values then return {} end
return {values, index or ''}
