Feature: A fan-out brings one result for every input, in order

  Many prompts are handed over in one call and worked on side by side, as many at a time as there are slots.
  The results stand in the order of the inputs and not in that of their ends, so that nobody has to match them
  up. Each is the view of its task: a failure among them hides none of the others, and neither does an input
  that was refused.

  @real
  Scenario: Results come in the order of the inputs
    Given a pool of 2 slots
    When the coordinator fans out
      | task | which         |
      | A    | answers "one" |
      | B    | answers "two" |
      | C    | answers "three" |
    Then the results are
      | task | state     | answer |
      | A    | completed | one    |
      | B    | completed | two    |
      | C    | completed | three  |

  Scenario: A failure hides none of the others
    Given a pool of 2 slots
    When the coordinator fans out
      | task | which                      |
      | A    | answers "one"              |
      | B    | is refused with status 404 |
      | C    | loses its process          |
      | D    | answers "four"             |
    Then the results are
      | task | state     | answer | error           |
      | A    | completed | one    |                 |
      | B    | failed    |        | model_not_found |
      | C    | failed    |        | slot_failed     |
      | D    | completed | four   |                 |

  Scenario: An input that is refused stands in its place
    Given a pool of 1 slot
    When the coordinator fans out
      | task | which         | slot   |
      | A    | answers "one" |        |
      | B    | answers "two" | slot-9 |
      | C    | answers "three" |      |
    Then the results are
      | task | state     | answer | error     |
      | A    | completed | one    |           |
      |      | refused   |        | not_found |
      | C    | completed | three  |           |

  Scenario: What still runs when the wait ends is shown as it is
    Given a pool of 2 slots
    When the coordinator fans out without waiting
      | task | which                      |
      | A    | works until it is released |
      | B    | works until it is released |
      | C    | answers "three"            |
    Then the results are
      | task | state   |
      | A    | running |
      | B    | running |
      | C    | pending |
    When A is released
    Then C answers "three"
