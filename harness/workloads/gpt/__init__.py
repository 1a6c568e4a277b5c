"""a language model"""
