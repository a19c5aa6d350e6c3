"""Start `demiurge live my.db --mode free --osc 9000`, then `python client.py`; needs python-osc."""

from pythonosc.osc_packet import OscPacket
from pythonosc.udp_client import SimpleUDPClient

demiurge = SimpleUDPClient("127.0.0.1", 9000)
demiurge.send_message("/demiurge/status/subscribe", [])
demiurge.send_message("/demiurge/knob/temperature", 0.5)
demiurge.send_message("/demiurge/scene/save", 1)
demiurge.send_message("/demiurge/go", [])
for packet in iter(lambda: demiurge.receive(timeout=5), b""):
    for _, message in OscPacket(packet).messages:
        print(message.address, *message.params)
