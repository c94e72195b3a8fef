"""`--report`: report.html and its pictures, made of run.csv and of maps. No map is computed here."""
