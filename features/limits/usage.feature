Feature: A limit of the account holds the whole pool, and no task fails of it

  What an account may use comes to an end for everybody who uses it. The first attempt that hears of it is
  enough: it goes back to wait, nothing else starts, and what runs goes on. The provider says when the limit
  ends; then the pool goes on by itself, whoever owns it by then. The attempt does not count as a retry.

  Scenario: A usage limit is waited out
    Given a pool of 1 slot
    When the coordinator submits
      | task | which                                                     |
      | A    | hits a limit that ends in 30 minutes once and answers "a" |
      | B    | answers "b"                                               |
    Then A is parked because of "provider_limit"
    And B is pending because of "provider_limit"
    When 1790 seconds pass
    Then B is pending because of "provider_limit"
    When 12 seconds pass
    Then A answers "a"
    And B answers "b"
    And the attempts are
      | task | attempt | end       |
      | A    | 1       | failed    |
      | A    | 2       | succeeded |
      | B    | 1       | succeeded |

  Scenario: Another owner waits on
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which hits a limit that ends in 30 minutes once and answers "a"
    Then A is parked because of "provider_limit"
    When the owner dies and another one takes over
    Then A is parked because of "provider_limit"
    When 1802 seconds pass
    Then A answers "a"

  Scenario: Somebody who knows better goes on at once
    Given a pool of 1 slot
    When the coordinator submits A, which hits a limit that ends in 30 minutes once and answers "a"
    Then A is parked because of "provider_limit"
    When the coordinator resumes the pool
    Then A answers "a"
