"""Forecasters: learn how descriptors follow each other, and forecast what comes next."""
