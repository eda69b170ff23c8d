"""Audit reports for people: one HTML file that says what was checked, seen and found.

================================================  =============================================
`model`                                           what a report tells, as plain values
`chain_story`, `home_story`                       the model, out of what an audit has read
`flow_story`, `books_story`, `contract_words`     parts of it
`model_story`, `marks`                            parts of it
`telling`                                         the audit, and the story, in a child process
`verdict`, `sections`, `log_sections`             the model as HTML
`contract_section`, `parts`, `markup`, `style`    as HTML too
`timeline`, `flow_drawing`                        as SVG
`page`, `file`                                    all of it as one file
================================================  =============================================
"""
