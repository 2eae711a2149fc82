"""From faces in frames to people, from looks at people to verdicts, from verdicts to the gate."""
