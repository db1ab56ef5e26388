#!/usr/bin/python3
"""channels-redis, which carries messages between the processes of a Django program, as
it comes with Debian (python3-channels-redis), against our server. It sends to a group by
a script, and by another that names no keys puts back what a reader has not taken."""

import asyncio
import unittest

import cases
import redis
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer


class Layers(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = redis.Redis(port=cases.server.port)
        self.client.flushall()
        self.addCleanup(self.client.close)
        self.layer = self.open()

    def open(self, **options):
        layer = RedisChannelLayer(hosts=[("127.0.0.1", cases.server.port)], **options)
        self.addAsyncCleanup(layer.close_pools)
        return layer

    async def receive(self, channel, layer=None):
        return await asyncio.wait_for((layer or self.layer).receive(channel), 30)

    async def test_messages_come_in_their_order(self):
        for number in range(5):
            await self.layer.send("channel", {"type": "text", "number": number, "raw": b"\0\xff"})
        other = self.open()
        for number in range(5):
            self.assertEqual(await self.receive("channel", other),
                             {"type": "text", "number": number, "raw": b"\0\xff"})

    async def test_a_reader_waits(self):
        reader = asyncio.create_task(self.receive("channel", self.open()))
        await asyncio.sleep(0.1)
        await self.layer.send("channel", {"type": "text"})
        self.assertEqual(await reader, {"type": "text"})

    async def test_messages_expire(self):
        layer = self.open(expiry=1)
        await layer.send("channel", {"type": "text"})
        await asyncio.sleep(1.2)
        self.assertEqual(self.client.keys("*channel*"), [])

    async def test_a_channel_has_a_capacity(self):
        layer = self.open(capacity=3)
        for _ in range(3):
            await layer.send("channel", {"type": "text"})
        with self.assertRaises(ChannelFull):
            await layer.send("channel", {"type": "text"})

    async def test_each_of_a_group_gets_a_message_but_who_is_full(self):
        layer = self.open(capacity=2)
        names = [await layer.new_channel() for _ in range(20)]
        for name in names:
            await layer.group_add("group", name)
        await layer.group_discard("group", names[0])
        for _ in range(3):
            await layer.group_send("group", {"type": "text", "to": "all"})
        for name in names[1:]:
            for _ in range(2):
                self.assertEqual((await self.receive(name, layer))["to"], "all")
        await layer.group_send("group", {"type": "again"})
        self.assertEqual((await self.receive(names[1], layer))["type"], "again")
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(layer.receive(names[0]), 0.2)

    async def test_what_a_reader_has_not_taken_is_put_back_in_its_order(self):
        for number in range(3):
            await self.layer.send("channel", {"type": "text", "number": number})
        (channel,) = self.client.keys()
        backup = channel + b"$inflight"
        for member, score in self.client.zpopmin(channel, 2):
            self.client.zadd(backup, {member: score})
        for number in range(3):
            self.assertEqual((await self.receive("channel", self.open()))["number"], number)

    async def test_flush_removes_what_is_its_own(self):
        self.client.set("another", "key")
        await self.layer.send("channel", {"type": "text"})
        await self.layer.group_add("group", "channel")
        await self.layer.flush()
        self.assertEqual(self.client.keys(), [b"another"])


if __name__ == "__main__":
    cases.run()
