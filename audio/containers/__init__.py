"""How long an audio file is, decided from its container's own structure.

A library's word for it is a guess where a header states no length, a wrong one, or that of the
first of several parts. Here the chunks, pages or frames of the file are walked. The result is a
`Layout`: the file as it is, or the byte ranges to decode in its place, and what was repaired, in
words; or a refusal that names what was found.

kinds ──► riff, w64, aiff, au, caf, flac, ogg, mp3 ──► Layout ──► view ──► libsndfile
"""
