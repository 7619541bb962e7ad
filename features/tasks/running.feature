Feature: A task that is run brings its answer and what it took

  The shortest way to use a pool: hand over a prompt, wait, and get the answer together with what it cost,
  how many turns it took and where it ran. Nothing has to be looked up afterwards, and the numbers are those
  that the log keeps. A wait that is shorter than the work is no failure: the task goes on, and its view
  says so.

  @real @cli
  Scenario: The answer comes with its price
    Given a pool of 1 slot
    When the coordinator runs A, which answers "Paris" and uses 1000 and 100 tokens
    Then the tasks are
      | task | state     | success | answer | cost   | turns | attempts | slot   | error |
      | A    | completed | yes     | Paris  | $0.003 | 1     | 1        | slot-0 |       |

  @real
  Scenario: The answer has the form that was asked for
    Given a pool of 1 slot
    When the coordinator runs A, which fills in {"city": "Paris"}, with
      | json schema | city |
    Then the tasks are
      | task | state     | structured output |
      | A    | completed | {"city":"Paris"}  |

  Scenario: An answer in another form is a failure, and what was said is kept
    Given a pool of 1 slot
    When the coordinator runs A, which answers "Paris, I think", with
      | json schema | city |
    Then the tasks are
      | task | state  | error           | answer         |
      | A    | failed | schema_mismatch | Paris, I think |

  Scenario: A long answer is cut, and says where the whole of it is
    Given a pool of 1 slot
    When the coordinator runs A, which answers with 30000 characters
    Then the tasks are
      | task | state     | output ref        |
      | A    | completed | pool://results/A  |

  Scenario: A task that takes longer than the wait goes on
    Given a pool of 1 slot
    When the coordinator runs A, which works until it is released and answers "late", with
      | wait seconds | 0 |
    Then A is running
    When A is released
    Then A answers "late"
