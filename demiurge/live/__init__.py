"""Play a corpus live: it answers, follows or goes with what is played into it.

input ──► listener: descriptors ──► modes: the next unit ──► lines: steps of a plan ──► output
                                        ▲                        └──► take: the plan on disk
           OSC, MIDI, keys, page ──► controls: knobs and commands
"""
