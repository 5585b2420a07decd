-- Both keys of a thread as they are at one moment; nothing for a thread without checkpoints.
local values, index = redis.call('DUMP', VALUES), redis.call('DUMP', INDEX)
if not values or not index then return {} end
return {values, index}
