"""Keys: of people, of a service, and of somebody who only says that they are ours."""

from chassis.auth import new_keypair

PEOPLE_PRIVATE, PEOPLE_PUBLIC = new_keypair("people-1", ["customer", "warehouse", "admin"])

SALES_PRIVATE, SALES_PUBLIC = new_keypair("sales", ["service"])

STRANGER_PRIVATE, _ = new_keypair("people-1", ["customer", "warehouse", "admin"])

JWKS = {"keys": [PEOPLE_PUBLIC, SALES_PUBLIC]}
