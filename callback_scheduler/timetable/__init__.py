"""When something is due and whose turn it is: ladder, dialling, re-dating, housekeeping; it places no call itself."""
