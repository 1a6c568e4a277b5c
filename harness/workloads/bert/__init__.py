"""a text classifier"""
