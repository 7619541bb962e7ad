Feature: Who spent what adds up to the microdollar

  Money is spent by attempts: each is settled once, however it ended, and counts in the row of its task, chain,
  slot, model, tag, skill and day. Rows therefore add up to the total, and the total is what the pool has spent.
  Only tags overlap: an attempt with several tags is in the row of each, and counts once in the total. P50 and
  P95 are what single attempts really cost.

  @cli
  Scenario: Tags tell what work was for
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens, with
      | tags | nightly |
    And the coordinator runs B, which answers "b" and uses 2000 and 100 tokens, with
      | tags | nightly, docs |
    And the coordinator runs C, which answers "c" and uses 1000 and 200 tokens
    Then the costs by tag are
      | tag        | attempts | cost   | p50    | p95    |
      | nightly    | 2        | $0.008 | $0.003 | $0.005 |
      | docs       | 1        | $0.005 | $0.005 | $0.005 |
      | (untagged) | 1        | $0.004 | $0.004 | $0.004 |
      | total      | 3        | $0.012 | $0.004 | $0.005 |

  Scenario: Every attempt of a task counts
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a" and uses 1000 and 100 tokens
    Then A is pending_review
    When the coordinator rejects A, saying "too short"
    Then A is pending_review
    And the costs by task are
      | task  | attempts | cost   |
      | A     | 2        | $0.006 |
      | total | 2        | $0.006 |

  Scenario: A failed attempt counts like any other
    Given a pool of 1 slot
    When the coordinator submits A, which loses its process and uses 1000 and 100 tokens, with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A costs $0.00402
    And the costs by slot are
      | slot   | attempts | cost     | estimated |
      | slot-0 | 2        | $0.00402 | $0.00402  |
      | total  | 2        | $0.00402 | $0.00402  |

  Scenario: The steps of a chain stand together
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                                    |
      | A    | answers "a" and uses 1000 and 100 tokens |
      | B    | answers "b" and uses 2000 and 100 tokens |
    Then Z is completed
    When the coordinator runs C, which answers "c" and uses 1000 and 200 tokens
    Then the costs by chain are
      | chain      | attempts | tasks | cost   |
      | Z          | 2        | 2     | $0.008 |
      | (no chain) | 1        | 1     | $0.004 |
      | total      | 3        | 3     | $0.012 |

  Scenario: A day is that of the settlement, by UTC
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And 86400 seconds pass
    And the coordinator runs B, which answers "b" and uses 1000 and 200 tokens
    Then the costs by day are
      | day        | cost   |
      | 2027-01-15 | $0.003 |
      | 2027-01-16 | $0.004 |
      | total      | $0.007 |

  Scenario: What a dead owner left running counts, too
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which answers "a" and uses 1000 and 100 tokens
    Then A is completed
    When the coordinator resets the budget
    And the coordinator submits B, which works until it is released, with
      | on interrupt | ask |
    And B is at work
    And the owner dies and another one takes over
    Then B is sealed because of "sealed"
    And the costs by task are
      | task  | attempts |
      | A     | 1        |
      | B     | 1        |
      | total | 2        |
